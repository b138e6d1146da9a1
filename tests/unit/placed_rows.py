"""Rows to place in files, and datasets that place them in more ways than those there are."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import frame_of
from datahub_assets.domain.tables import ByTime, Period
from tests.datasets.foreign import RECEIPTS

GROUPED = replace(RECEIPTS, series=None, group="register", groups=("north", "south"))
"""Rows that become final and are appended, in folders."""
MONTHLY = replace(RECEIPTS, partitioning=ByTime(Period.MONTH))
"""Rows that become final, with one live file."""
DAILY_NORTH = replace(GROUPED, partitioning=ByTime(Period.MONTH, of_groups=(("north", Period.DAY),)))
"""Groups that differ in their periods."""
START_MS = int(datetime(2025, 12, 31, 21, tzinfo=UTC).timestamp() * 1000)  # three hours before day, month and year end


def row(spec: DatasetSpec, **values: object) -> pl.DataFrame:
    return frame_of(spec, [{name: values.get(name) for name in spec.column_names}])


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
