"""TableSpec: the columns of a table, its key and order, and which of its rows lie in which file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from datahub_assets.domain.columns import Column
from datahub_assets.domain.times import MINUTE_MS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

ROLL_DELAY_MS: Final = 10 * MINUTE_MS
"""A window rolls this long after its end, so that late stamps still find it."""
FETCHED: Final = "ingested_at"
"""The column of every dataset that says when this version of a row was fetched."""


class Period(StrEnum):
    """What one sealed file covers."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def strftime(self) -> str:
        """How the period names its file."""
        return {Period.DAY: "%Y-%m-%d", Period.MONTH: "%Y-%m", Period.YEAR: "%Y"}[self]


@dataclass(frozen=True, slots=True)
class ByTime:
    """Sealed files cover periods of time: `2025-11.parquet`.

    Attributes:
        period: what a file covers.        of_groups: what it covers for some values of the group instead.
    """

    period: Period
    of_groups: tuple[tuple[str, Period], ...] = ()

    def of_group(self, group: str | None) -> Period:
        """What one sealed file of this group covers."""
        return next((period for name, period in self.of_groups if name == group), self.period)


@dataclass(frozen=True, slots=True)
class ByRange:
    """Sealed files cover `size` numbers of a column of the key: `000000100000-000000199999.parquet`.

    The first and the last number are written with 12 digits, so that the names sort.
    """

    column: str
    size: int


class LiveStyle(StrEnum):
    """How rows of the live window lie on the Hub."""

    APPEND = "append"
    """`live/{HHMM}.parquet`: one small immutable file per publish."""
    REPLACE = "replace"
    """`today.parquet`: one file, written anew when its rows change; still forming rows apart in `open.parquet`."""


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """A table: its columns and key, and how its rows are divided into files.

    Has no slots, so that what follows from its fields is worked out once: requests ask for it often.

    Attributes:
        name: short name; also the SQL table and the API's word for it.
        key: columns that identify a row.
        time: the column rows are ordered by, selected by (`start`, `end`) and aged by.
        series: the column whose few values name the series a file is sorted by first; None: rows form no series.
        group: the column of the key whose values name the folders under `data/`, if files are grouped.
        groups: the values it may have.
        final: the column that says whether a row is final (`closed`); None: rows are final as they come.
        window_ms: length of the live window; rows older than the window rest in sealed files.
        live: how rows of the live window lie on the Hub.
        partitioning: which sealed file a row rests in.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str = "timestamp"
    series: str | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    final: str | None = None
    window_ms: int
    live: LiveStyle
    partitioning: ByTime | ByRange

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of every file and table."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def sort(self) -> tuple[str, ...]:
        """Order of rows in every file: series, time, and what of the key tells rows of one time apart."""
        return tuple(name for name in (self.series, self.time) if name is not None) + self.within_time

    @cached_property
    def within_time(self) -> tuple[str, ...]:
        """Columns of the key that tell rows of one group, series and time apart; none where those do."""
        return tuple(name for name in self.key if name not in {self.group, self.series, self.time})

    @cached_property
    def page_order(self) -> tuple[str, ...]:
        """The total order of rows over all files, which pages follow: time, series, group, and the rest of the key."""
        first = tuple(name for name in (self.time, self.series, self.group) if name is not None)
        return first + self.within_time

    @cached_property
    def file_order(self) -> tuple[str, ...]:
        """Sort order of rows that span groups: the group first, then the order within a file."""
        return self.sort if self.group is None else (self.group, *self.sort)

    @cached_property
    def series_columns(self) -> tuple[str, ...]:
        """Columns whose values name one series over all groups; none where rows form no series."""
        return tuple(name for name in (self.series, self.group) if name is not None) if self.series else ()

    @cached_property
    def required(self) -> frozenset[str]:
        """Columns that are never null."""
        return frozenset(name for name in (*self.key, self.time, self.series, self.group) if name is not None)

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by name, in their order."""
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: the dataset has no such column.
        """
        return self.by_name[name]

    def arrow_schema(self) -> "pa.Schema":
        """Parquet schema: all columns nullable but the required ones."""
        import pyarrow as pa  # noqa: PLC0415 - specs are loaded by commands that should not wait for it

        required = self.required
        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.name not in required) for c in self.columns])

    def polars_schema(self) -> dict[str, "pl.DataType"]:
        """The same columns and types for polars."""
        return {column.name: column.kind.polars for column in self.columns}

    def time_ms(self) -> "pl.Expr":
        """The time of each row in epoch milliseconds."""
        import polars as pl  # noqa: PLC0415 - as above

        return pl.col(self.time).dt.epoch("ms")

    def window_start(self, now_ms: int) -> int:
        """First millisecond of the live window at `now_ms`: rows stamped earlier belong in sealed files."""
        late = now_ms - ROLL_DELAY_MS
        return late - late % self.window_ms
