"""DatasetSpec: everything that differs between datasets.

The cache table, the parquet schema, the files on the Hub, the dataset card, the Dagster assets, their checks, the SQL
table and the API's endpoint are derived from it. A spec checks itself when it is made, see `spec_checks`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.settings_base import DatasetSettings
from datahub_assets.datasets.spec_checks import check
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import MINUTE_MS

if TYPE_CHECKING:
    import polars as pl


Series = tuple[str, ...]
"""Which series: the values of the spec's `series_columns`."""
OTHER_LICENCE: Final = "other"
"""The Hub's word for terms that are not in its list."""
Upgrade = Callable[["pl.DataFrame"], "pl.DataFrame"]
"""Turns the lines of a ledger as an earlier version of the project wrote them into lines of today's form."""


@dataclass(frozen=True, slots=True)
class NewestRows:
    """Asked without `start` and `end`, a dataset answers with its newest rows.

    Attributes:
        newest_first: the order they come in unless the caller names one; the oldest of them first otherwise.
    """

    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class NewestOfEach:
    """Asked without `start` and `end`, a dataset answers with the newest row of each series, the largest first.

    Attributes:
        rank: the column by which the largest is meant, of numbers or times.
        max_age_s: series not seen for longer than this, before the newest row of all, are left out; the parameter
            `max_age` changes it.
    """

    rank: str
    max_age_s: int


@dataclass(frozen=True, slots=True)
class GapRule:
    """Each series has a row at every step of a grid that starts at the epoch; what is not there is a gap.

    Attributes:
        step_ms: the length of a step, by series.
        noun: what one missing row is called, in the plural: `candles`.
        upgrade: for a dataset older than the ledger's present form.
    """

    step_ms: Callable[[Series], int]
    noun: str
    upgrade: Upgrade | None = None

    def step(self, series: Series) -> int:
        """The length of a step of a series, in ms."""
        return self.step_ms(series)


@dataclass(frozen=True, slots=True)
class NumberGapRule:
    """Each series has a row for every number, from its first row to its last final one; what is not there is a gap.

    Attributes:
        column: the column of the key that counts up.        noun: what one missing row is called, in the plural.
    """

    column: str
    noun: str
    upgrade: Upgrade | None = None

    def step(self, series: Series) -> int:
        """From one row to the next."""
        del series
        return 1


@dataclass(frozen=True, slots=True)
class CorrectionRule:
    """What upstream changes in a final row afterwards is written down, value by value; not a value that was null.

    Attributes:
        noticed: which changes are noticed at all, a sentence for the card.
        before_final: columns whose changes are written down even while a row is not final: the hash of a block.
        upgrade: for a dataset older than the ledger's present form.
    """

    noticed: str
    before_final: tuple[str, ...] = ()
    upgrade: Upgrade | None = None


@dataclass(frozen=True, slots=True)
class RowRule:
    """What must hold between columns of one row: `open` and `close` lie from `low` to `high`. Nulls break no rule.

    Attributes:
        columns: those it is about.        at_least, at_most: the columns their values are bounded by.
    """

    columns: tuple[str, ...]
    at_least: str | None = None
    at_most: str | None = None

    @property
    def why(self) -> str:
        """What is wrong with a row that breaks it: `open or close outside low and high`."""
        named = " or ".join(self.columns)
        if self.at_least is not None and self.at_most is not None:
            return f"{named} outside {self.at_least} and {self.at_most}"
        return f"{named} below {self.at_least}" if self.at_most is None else f"{named} above {self.at_most}"


@dataclass(frozen=True, slots=True)
class History:
    """How far back upstream's rows reach, and how much of that is fetched.

    Attributes:
        since: time of the oldest row upstream has, ISO 8601 with its zone.
        fetched: what of it the dataset holds, a sentence for the card.
    """

    since: str
    fetched: str


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms the data is under: a name of the Hub's list (`other` where it has none), a word for it, and the text.

    The names: https://huggingface.co/docs/hub/repositories-licenses
    """

    id: str
    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(TableSpec):
    """Everything that makes a table a dataset.

    Attributes:
        title, summary: what the card, the lineage and the API's documentation tell.
        repo_name: the dataset's repo on the Hub, without the namespace.
        provider: who the rows come from; the column `provider` of every row says it too.
        source_asset, cache_table, hub_asset: names of its assets.
        licence: the terms its rows are under.        tags: words its repo is found by on the Hub.
        filters: how callers narrow rows down; also what `coverage` and `stream` can be narrowed by.
        default_columns: columns of an answer whose caller names none; all of them where empty.
        default_limit: most rows of an answer whose caller names no limit.
        newest: what an answer without `start` and `end` holds.
        answer: what its endpoint answers, for the API's documentation.
        gaps, corrections: its ledgers, where it has them.
        history: for a dataset whose upstream also tells rows of long ago.
        looks_up: columns of texts that its source looks up in whichever dataset has them all, to tell what its own rows
            are about. No dataset has to have them.
        rules: what must hold for a row besides the bounds of its columns.
        stamped_at_begin: rows are stamped with the begin of the time they cover, so that the newest one is old by
            nature: the commit's age counts instead.
        ahead_ms: so far ahead of this machine's clock a row may be stamped.
        retention_ms: published rows older than this leave the local cache.
        stale_warn_ms, stale_fail_ms: age of the newest row that deserves a warning, a failure.
        tick_s: least seconds between two ticks of its chain; the longer of this and the setting counts.
        publish_interval_s: least seconds between two commits on a Hub that counts them (huggingface.co), unless the
            setting says another interval for all.
        settings: settings of its own.
    """

    title: str
    summary: str
    answer: str
    repo_name: str
    provider: str
    source_url: str
    licence: Licence
    source_asset: str
    cache_table: str
    hub_asset: str
    tags: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    default_columns: tuple[str, ...] = ()
    default_limit: int = 100
    newest: NewestRows | NewestOfEach = field(default_factory=NewestRows)
    gaps: GapRule | NumberGapRule | None = None
    corrections: CorrectionRule | None = None
    history: History | None = None
    looks_up: tuple[str, ...] = ()
    rules: tuple[RowRule, ...] = ()
    stamped_at_begin: bool = False
    ahead_ms: int = 5 * MINUTE_MS
    retention_ms: int
    stale_warn_ms: int = 3 * MINUTE_MS
    stale_fail_ms: int = 10 * MINUTE_MS
    tick_s: int = 0
    publish_interval_s: int = 0
    settings: type[DatasetSettings] = DatasetSettings

    def __post_init__(self) -> None:
        """See that the spec is one.

        Raises:
            DatasetInvalid: one line per fault.
        """
        check(self)

    def can_be_looked_up(self, columns: tuple[str, ...]) -> bool:
        """Whether it has the newest row of each series, and these columns of texts in it."""
        kinds = {self.by_name[name].kind if name in self.by_name else None for name in columns}
        return kinds == {ColumnKind.TEXT} and bool(self.series) and set(self.key) == {*self.series_columns, self.time}

    def gap_places(self) -> "pl.Expr":
        """Where each row stands in its series, as gaps are counted: its number, or its time in epoch milliseconds."""
        import polars as pl  # noqa: PLC0415 - specs are loaded by commands that should not wait for it

        return pl.col(self.gaps.column) if isinstance(self.gaps, NumberGapRule) else self.time_ms()

    @cached_property
    def shown_columns(self) -> tuple[str, ...]:
        """Columns of an answer whose caller names none."""
        return self.default_columns or self.column_names

    @cached_property
    def group_filter(self) -> Filter | None:
        """The filter that chooses the group."""
        return next((one for one in self.filters if self.group is not None and one.column == self.group), None)

    @cached_property
    def example(self) -> dict[str, object]:
        """A row made of the columns' examples."""
        return {column.name: column.example for column in self.columns}
