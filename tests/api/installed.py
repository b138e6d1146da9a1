"""Two datasets of installed packages, as their specs say.

The packages stay off the path: whoever reads the registry in this process must not find them.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import polars as pl

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import frame_of
from tests.api.workers import NOW_MS

_FOLDER: Final = str(Path(__file__).parents[1] / "datasets" / "installed")


def _installed(package: str) -> DatasetSpec:
    sys.path.insert(0, _FOLDER)
    try:
        return cast("DatasetSpec", import_module(f"{package}.spec").SPEC)
    finally:
        sys.path.remove(_FOLDER)


INCIDENTS: Final = _installed("field_incidents")
"""A text is the key, many rows have one time, they form no series, and a column holds lists."""
RECEIPTS: Final = _installed("field_receipts")
"""Two registers of growing numbers; the time is not of the key, rows become final, corrections are kept."""
ALL: Final = (*DATASETS.values(), INCIDENTS, RECEIPTS)


def incidents(count: int, **changed: Any) -> pl.DataFrame:
    """Incidents of one time; every third is major, and hit the wallet besides the API."""
    rows = [
        {
            "incident_id": f"inc-{number:06d}",
            "timestamp": NOW_MS,
            "headline": f"Delay {number}",
            "severity": "minor" if number % 3 else "major",
            "services": ["api"] if number % 3 else ["wallet", "api"],
            "affected": number,
            "provider": "statuspage",
            "ingested_at": NOW_MS,
            **changed,
        }
        for number in range(count)
    ]
    return frame_of(INCIDENTS, rows)


def receipts(register: str, count: int, **changed: Any) -> pl.DataFrame:
    """Receipts of a register, a second apart; the last one is not settled."""
    rows = [
        {
            "register": register,
            "number": 100_000 + number,
            "stamped_at": NOW_MS + number * 1000,
            "amount": number / 4,
            "settled": number < count - 1,
            "provider": "register",
            "ingested_at": NOW_MS,
            **changed,
        }
        for number in range(count)
    ]
    return frame_of(RECEIPTS, rows)
