"""Rows of the two foreign datasets, and a cache that has their tables."""

from collections.abc import Iterator, Sequence

import polars as pl
import pytest

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import frame_of
from tests.datasets.foreign import INCIDENTS, RECEIPTS

FOREIGN = (INCIDENTS, RECEIPTS)


def incident(
    name: str, at_ms: int, *, fetched_ms: int, services: Sequence[str | None] | None = None
) -> dict[str, object]:
    return {
        "incident_id": name,
        "timestamp": at_ms,
        "headline": f"Incident {name} ünïcode",
        "severity": "minor",
        "services": services,
        "affected": 3,
        "provider": "statuspage",
        "ingested_at": fetched_ms,
    }


def receipt(
    number: int, at_ms: int, *, fetched_ms: int, amount: float = 1.0, settled: bool = True, register: str = "north"
) -> dict[str, object]:
    return {
        "register": register,
        "number": number,
        "stamped_at": at_ms,
        "amount": amount,
        "settled": settled,
        "provider": "register",
        "ingested_at": fetched_ms,
    }


def incidents(*rows: dict[str, object]) -> pl.DataFrame:
    return frame_of(INCIDENTS, rows)


def receipts(*rows: dict[str, object]) -> pl.DataFrame:
    return frame_of(RECEIPTS, rows)


def listed(*specs: DatasetSpec) -> Iterator[None]:
    """These datasets stand in the registry for a while, as those of installed packages do."""
    patch = pytest.MonkeyPatch()
    for spec in specs:
        patch.setitem(DATASETS, spec.name, spec)
    yield
    patch.undo()
