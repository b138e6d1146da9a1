"""One DatasetSpec per dataset: everything that differs between datasets is data here, and nothing else is.

The cache table, the parquet schema, the files on the Hub, the dataset card, the Dagster assets, their checks and the
SQL table are derived from it; no such code lives here.
"""

from typing import Final

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec

PACKAGES: Final[dict[str, DatasetSpec]] = {"market": MARKET, "candles": OHLC}
"""Each dataset by the name of its package here."""

DATASETS: Final[dict[str, DatasetSpec]] = {spec.name: spec for spec in PACKAGES.values()}
"""The same by the dataset's own name."""
