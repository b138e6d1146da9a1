"""TableSpec: the columns of a table, its key and order, and which of its rows lie in which file."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import polars as pl
import pyarrow as pa

from datahub_assets.domain.columns import Column
from datahub_assets.domain.times import MINUTE_MS

ROLL_DELAY_MS: Final = 10 * MINUTE_MS
"""A window rolls this long after its end, so that late stamps still find it."""


class Period(StrEnum):
    """What one sealed file covers."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def strftime(self) -> str:
        """How the period names its file."""
        return {Period.DAY: "%Y-%m-%d", Period.MONTH: "%Y-%m", Period.YEAR: "%Y"}[self]


class LiveStyle(StrEnum):
    """How rows of the live window lie on the Hub."""

    APPEND = "append"
    """`live/{HHMM}.parquet`: one small immutable file per publish."""
    REPLACE = "replace"
    """`today.parquet`: one file, written anew when its rows change; still forming rows apart in `open.parquet`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table: its columns and key, and how its rows are divided into files.

    Attributes:
        name: short name; also the SQL table and the API's word for it.
        key: columns that identify a row.
        sort: order of rows in every file.
        group: the column whose values name the folders under `data/`, if files are grouped.
        groups: the values it may have.
        window_ms: length of the live window; rows older than the window rest in sealed files.
        live: how rows of the live window lie on the Hub.
        sealed: period of a sealed file, by value of `group` ("" when not grouped; "*" for all others).
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sort: tuple[str, ...]
    group: str | None
    window_ms: int
    live: LiveStyle
    sealed: tuple[tuple[str, Period], ...]
    groups: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of every file and table."""
        return tuple(column.name for column in self.columns)

    @property
    def file_order(self) -> tuple[str, ...]:
        """Sort order of rows that span groups: the group first, then the order within a file."""
        return self.sort if self.group is None else (self.group, *self.sort)

    @property
    def has_forming_rows(self) -> bool:
        """Whether rows exist that may still change (`closed` is false)."""
        return "closed" in self.column_names

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: the dataset has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def arrow_schema(self) -> pa.Schema:
        """Parquet schema: all columns nullable but the key."""
        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.name not in self.key) for c in self.columns])

    def polars_schema(self) -> dict[str, pl.DataType]:
        """The same columns and types for polars."""
        return {column.name: column.kind.polars for column in self.columns}

    def sealed_period(self, group: str) -> Period:
        """Which period one sealed file of this group covers."""
        periods = dict(self.sealed)
        return periods.get(group, periods.get("*", Period.MONTH))

    def window_start(self, now_ms: int) -> int:
        """First millisecond of the live window at `now_ms`: rows stamped earlier belong in sealed files."""
        late = now_ms - ROLL_DELAY_MS
        return late - late % self.window_ms
