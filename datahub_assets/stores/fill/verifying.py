"""Published history against what the ledger of sources says, and a sample against the source itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import polars as pl
import pyarrow.parquet as pq

from datahub_assets.datasets.ledgers import series_named
from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.domain.history import HistorySource, Month
from datahub_assets.domain.rows import content_columns
from datahub_assets.domain.times import iso_short
from datahub_assets.stores.history import reports
from datahub_assets.stores.hub.client import Hub


@dataclass(frozen=True, slots=True)
class WrongMonth:
    """A month of a series whose published rows are not what they should be, in words."""

    series: Series
    month: Month
    what: str


def told_months(spec: DatasetSpec, lines: pl.DataFrame) -> dict[tuple[str, Month], dict[Series, int]]:
    """How many rows each series has by the ledger, by group and month: all that its newest reading took."""
    newest = lines.filter(pl.col("fetched_at") == pl.col("fetched_at").max().over("series", "month"))
    summed = newest.group_by("series", "month").agg(pl.col("rows").sum()).sort("month", "series")
    found: dict[tuple[str, Month], dict[Series, int]] = {}
    for text, month, rows in summed.iter_rows():
        series = series_named(spec, text)
        found.setdefault((group_of(spec, series), Month.parse(month)), {})[series] = rows
    return found


@dataclass(frozen=True, slots=True)
class CountedMonth:
    """How many rows of a series' month are published, how many different keys those have, and how many came."""

    series: Series
    month: Month
    rows: int
    keys: int
    came: int

    @property
    def fault(self) -> WrongMonth | None:
        """What is wrong; more rows than came are no fault by themselves, as live rows may be among them."""
        if self.keys < self.rows:
            return WrongMonth(self.series, self.month, f"{self.rows - self.keys:,} rows are there twice")
        if self.rows < self.came:
            return WrongMonth(self.series, self.month, f"{self.rows:,} rows are published, {self.came:,} came")
        return None


def counted(
    spec: DatasetSpec, *, hub: Hub, revision: str, told: dict[tuple[str, Month], dict[Series, int]]
) -> Iterator[CountedMonth]:
    """The months of the ledger; files are read one month of a group at a time.

    Raises:
        HubError: a file could not be read.
    """
    files = hub.files(spec, revision=revision)
    for (group, month), wanted in told.items():
        paths = list(reports.holding(spec, files, group=group, span=month.span))
        rows = _keys(spec, hub=hub, revision=revision, month=month, paths=paths)
        summed = rows.group_by(spec.series_columns or spec.key[:1]).agg(n=pl.len(), keys=pl.struct(spec.key).n_unique())
        there = {tuple(map(str, names)): (n, keys) for *names, n, keys in summed.iter_rows()}
        for series, expected in wanted.items():
            count, keys = there.get(series, (0, 0))
            yield CountedMonth(series, month, count, keys, expected)


def other_values(
    spec: DatasetSpec,
    *,
    hub: Hub,
    revision: str,
    source: HistorySource,
    sample: Sequence[tuple[Series, Month]],
    tell: Callable[[str], None] = lambda _line: None,
) -> Iterator[WrongMonth]:
    """Months of the sample whose rows the source tells otherwise, or that lack some it has, or have some it lacks.

    Rows at times that it does not decide on are none of those: live polling may have brought what it never had.

    Raises:
        SourceError: the source could not be asked.        HubError: a file could not be read.
    """
    files = hub.files(spec, revision=revision)
    for series, month in sample:
        tell(f"{' '.join(series)} {month}")
        paths = list(reports.holding(spec, files, group=group_of(spec, series), span=month.span))
        held = _rows(spec, hub=hub, revision=revision, paths=paths, columns=list(spec.column_names))
        found = source.fetch(series, month)
        missing = found.rows.join(held, on=content_columns(spec), how="anti", nulls_equal=True)
        if missing.height:
            yield WrongMonth(series, month, f"{missing.height:,} rows of the source are published otherwise, or not")
        extra = _of_month(spec, held, series, month).join(found.rows, on=list(spec.key), how="anti")
        undecided = [spec.time_ms().is_between(one.first_ms, one.last_ms) for one in found.undecided]
        extra = extra.filter(~pl.any_horizontal(undecided)) if undecided else extra
        if extra.height:
            first = iso_short(extra.select(spec.time_ms().min()).item())
            yield WrongMonth(
                series, month, f"{extra.height:,} published rows are none of the source (the first of {first})"
            )


def group_of(spec: DatasetSpec, series: Series) -> str:
    """The group a series is of."""
    return "" if spec.group is None else series[spec.series_columns.index(spec.group)]


def _of_month(spec: DatasetSpec, rows: pl.DataFrame, series: Series, month: Month) -> pl.DataFrame:
    mine = [pl.col(name).cast(pl.String) == value for name, value in zip(spec.series_columns, series, strict=True)]
    return rows.filter(*mine, spec.time_ms().is_between(month.span.first_ms, month.span.last_ms))


def _keys(spec: DatasetSpec, *, hub: Hub, revision: str, month: Month, paths: list[str]) -> pl.DataFrame:
    rows = _rows(spec, hub=hub, revision=revision, paths=paths, columns=list(spec.key))
    return rows.filter(spec.time_ms().is_between(month.start_ms, month.end_ms - 1))


def _rows(spec: DatasetSpec, *, hub: Hub, revision: str, paths: list[str], columns: list[str]) -> pl.DataFrame:
    found = [
        pl.DataFrame(pl.from_arrow(pq.read_table(BytesIO(hub.read(spec, path, revision=revision)), columns=columns)))
        for path in paths
    ]
    empty = pl.DataFrame(schema={name: kind for name, kind in spec.polars_schema().items() if name in columns})
    return pl.concat(
        [empty.select(columns), *(one.select(columns).cast(empty.select(columns).schema) for one in found)]
    )
