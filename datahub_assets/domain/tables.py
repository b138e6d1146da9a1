"""TableSpec: the columns of a table, its key and order, and which of its rows lie in which file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from datahub_assets.domain.columns import Column
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS, YEAR_9999_MS, epoch_ms, utc_datetime

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

ROLL_DELAY_MS: Final = 10 * MINUTE_MS
"""A window rolls this long after its end, so that late stamps still find it."""
FETCHED: Final = "ingested_at"
"""The column of every dataset that says when this version of a row was fetched."""
PROVIDER: Final = "provider"
"""The column of every dataset that says who told a row; the same told by another corrects nothing."""


class Period(StrEnum):
    """A stretch of time a sealed file covers, in UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def strftime(self) -> str:
        """How the period names its file."""
        return {Period.HOUR: "%Y-%m-%dT%H", Period.DAY: "%Y-%m-%d", Period.MONTH: "%Y-%m", Period.YEAR: "%Y"}[self]

    @property
    def window(self) -> "Period":
        """What rows of such a period are collected by until it is over: a day by hours, a month by days."""
        return {Period.DAY: Period.HOUR, Period.MONTH: Period.DAY}[self]

    @property
    def longer(self) -> tuple["Period", ...]:
        """The periods that are longer than this one and may be what a file covers."""
        lengths = (Period.DAY, Period.MONTH, Period.YEAR)
        return lengths[lengths.index(self) + 1 :]

    def start(self, moment_ms: int) -> int:
        """First millisecond of the period this moment (epoch ms) is in."""
        match self:
            case Period.HOUR | Period.DAY:
                return moment_ms - moment_ms % (HOUR_MS if self is Period.HOUR else DAY_MS)
            case Period.MONTH:
                return epoch_ms(_midnight(moment_ms).replace(day=1))
            case Period.YEAR:
                return epoch_ms(_midnight(moment_ms).replace(month=1, day=1))

    def end(self, moment_ms: int) -> int:
        """First millisecond after the period this moment (epoch ms) is in."""
        longest_ms = {Period.HOUR: HOUR_MS, Period.DAY: DAY_MS, Period.MONTH: 31 * DAY_MS, Period.YEAR: 366 * DAY_MS}
        after = self.start(moment_ms) + longest_ms[self]
        return YEAR_9999_MS + 1 if after > YEAR_9999_MS else self.start(after)


def _midnight(moment_ms: int) -> datetime:
    return utc_datetime(moment_ms - moment_ms % DAY_MS)


@dataclass(frozen=True, slots=True)
class ByTime:
    """Sealed files cover periods of time: `2025-11.parquet`.

    A day is for rows that come every minute, a month for those that come less often: see `TableSpec`.

    Attributes:
        period: what a file covers, a day or a month.        of_groups: what it covers for some values of the group.
    """

    period: Period
    of_groups: tuple[tuple[str, Period], ...] = ()


@dataclass(frozen=True, slots=True)
class ByRange:
    """Sealed files cover `size` numbers of a column of the key: `000000100000-000000199999.parquet`.

    The first and the last number are written with 12 digits, so that the names sort. Rows come to them once a day, and
    are collected by hours until then.
    """

    column: str
    size: int


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """A table: its columns and key, and how its rows are divided into files.

    A row is written to files three times in its life, whatever comes after it. First it is live. Once its window is
    over, it rests with the others of that window in one file; and once the period is over, the windows of it are folded
    into one file. Days consist of windows of an hour, whose live rows lie in one small file per publish; months of
    windows of a day, whose live rows lie in one file that is written anew when they change.

    Has no slots, so that what follows from its fields is worked out once: requests ask for it often.

    Attributes:
        name: short name; also the SQL table and the API's word for it.
        key: columns that identify a row.
        time: the column rows are ordered by, selected by (`start`, `end`) and aged by.
        series: the column whose few values name the series a file is sorted by first; None: rows form no series.
        group: the column of the key whose values name the folders under `data/`, if files are grouped.
        groups: the values it may have.
        final: the column that says whether a row is final (`closed`); None: rows are final as they come.
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

    def period_of(self, group: str | None) -> Period:
        """How long rows of this group are collected before they are folded."""
        if isinstance(self.partitioning, ByRange):
            return Period.DAY
        return dict(self.partitioning.of_groups).get(group or "", self.partitioning.period)

    @cached_property
    def periods(self) -> Mapping[Period, tuple[str, ...]]:
        """The periods there are, each with the groups that have it; without groups one period with none."""
        if self.group is None:
            return {self.period_of(None): ()}
        found: dict[Period, tuple[str, ...]] = {}
        for group in self.groups:
            period = self.period_of(group)
            found[period] = (*found.get(period, ()), group)
        return found

    @cached_property
    def windows(self) -> tuple[Period, Period]:
        """The shortest and the longest window of any group."""
        found = {period.window for period in self.periods}
        return (Period.HOUR if Period.HOUR in found else Period.DAY, Period.DAY if Period.DAY in found else Period.HOUR)

    def window_start(self, now_ms: int) -> int:
        """First millisecond of the live window at `now_ms`, of the groups with the shortest one.

        The windows and periods of others begin where theirs do that hold this moment.
        """
        return self.windows[0].start(now_ms - ROLL_DELAY_MS)
