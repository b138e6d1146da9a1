"""Which ledgers a dataset has."""

from typing import Final

from datahub_assets.datasets.candles.ledgers import CORRECTIONS, GAPS
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.ledgers import LedgerSpec

LEDGERS: Final[dict[str, tuple[LedgerSpec, ...]]] = {OHLC.name: (GAPS, CORRECTIONS)}


def ledgers_of(spec: DatasetSpec) -> tuple[LedgerSpec, ...]:
    """The ledgers kept beside this dataset."""
    return LEDGERS.get(spec.name, ())


def parts_of(spec: DatasetSpec) -> tuple[DatasetSpec | LedgerSpec, ...]:
    """The dataset and its ledgers: all that is published to its repo."""
    return (spec, *ledgers_of(spec))
