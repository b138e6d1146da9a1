"""A history made by rule, and ways to build and commit it: at any time, the candles of a month are fixed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import SourceError
from datahub_assets.domain.gaps import Cause, GridGap
from datahub_assets.domain.history import Month, Series, SeriesMonth, SourceLine, Verdict
from datahub_assets.domain.rows import from_epoch_ms
from datahub_assets.domain.times import HOUR_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.history import base, reports, told_sources, worker
from tests.stores.world import Site, on_hub

PAIRS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")


def month_rows(series: Series, month: Month, *, fetched_at: int, value: float = 100.0) -> pl.DataFrame:
    """All candles of a pair in a month."""
    symbol, name = series
    step = interval(name)
    opened = np.arange(month.start_ms, month.end_ms, step.length_ms)
    price = value + (opened // step.length_ms) % 997
    count = len(opened)
    columns = {
        "symbol": [symbol] * count,
        "interval": [name] * count,
        "timestamp": opened,
        "close_time": opened + step.length_ms - 1,
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price + 0.5,
        **dict.fromkeys(("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume"), np.ones(count)),
        "trade_count": [1] * count,
        "closed": [True] * count,
        "provider": ["binance"] * count,
        "ingested_at": [fetched_at] * count,
    }
    frame = pl.DataFrame({name: columns[name] for name in OHLC.column_names})
    times = [from_epoch_ms(pl.col(name)) for name in ("timestamp", "close_time", "ingested_at")]
    return frame.with_columns(times).cast(pl.Schema(OHLC.polars_schema()))


@dataclass
class MadeHistory:
    """A source that counts what is asked of it, and misbehaves to order.

    Attributes:
        fetched: what was asked for, in order.        errors: by pair, what is raised instead of an answer.
        values: by pair, the level of its prices.        undone: pairs of which more may come.
        holes: by pair, hours of a month that lack, from the first to the last, and why.
    """

    pairs: tuple[str, ...] = PAIRS
    fetched: list[tuple[Series, Month]] = field(default_factory=list)
    errors: dict[str, SourceError] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    holes: dict[str, tuple[int, int, Cause]] = field(default_factory=dict)
    now_ms: int = 1_764_000_000_000

    def series(self, group: str, month: Month, *, wanted: Collection[str] | None, with_delisted: bool) -> list[Series]:
        unknown = sorted(set(wanted or ()) - {*self.pairs, "all:USDT"})
        if unknown:
            raise ValueError(f"no symbol {unknown[0]!r}")
        return [(name, group) for name in self.pairs if not wanted or name in wanted or "all:USDT" in wanted]

    def at_once(self, group: str) -> int:
        return 3

    def fetch(self, series: Series, month: Month) -> SeriesMonth:
        self.fetched.append((series, month))
        if series[0] in self.errors:
            raise self.errors[series[0]]
        rows = month_rows(series, month, fetched_at=self.now_ms, value=self.values.get(series[0], 100.0))
        gaps: tuple[GridGap, ...] = ()
        if series[0] in self.holes:
            first, last, cause = self.holes[series[0]]
            first_ms, last_ms = month.start_ms + first * HOUR_MS, month.start_ms + last * HOUR_MS
            rows = rows.filter(~OHLC.time_ms().is_between(first_ms, last_ms))
            gaps = (GridGap(first_ms, last_ms, cause, first_seen=self.now_ms, updated_at=self.now_ms),)
        done = series[0] not in self.undone
        line = SourceLine(
            series,
            month,
            f"http://archive/{'-'.join(series)}-{month}.zip",
            "ab" * 32,
            rows.height,
            self.now_ms,
            Verdict.COMPLETE if done else Verdict.SHORT,
        )
        return SeriesMonth(series, month, rows, (line,), (), gaps, None, done)


def build(
    site: Site,
    source: MadeHistory,
    group: str,
    month: str,
    *,
    now_ms: int,
    pairs: Iterable[str] | None = None,
    most_file_bytes: int = worker.MOST_FILE_BYTES,
) -> worker.Built:
    """Build a month of all pairs, or of these, and leave its report for the next publish."""
    found = base.look(OHLC, hub=site.hub, now_ms=now_ms)
    work = worker.MonthWork(
        spec=OHLC,
        group=group,
        month=Month.parse(month),
        base=found,
        source=source,
        hub=site.hub,
        home=site.home,
        clock=lambda: now_ms,
        log=site.work(OHLC, cache=None, now_ms=now_ms).log,  # type: ignore[arg-type]  # the log alone is wanted
        most_file_bytes=most_file_bytes,
    )
    site.home.mkdir(exist_ok=True)
    built = worker.build(work, [(pair, group) for pair in pairs or source.pairs])
    reports.save(site.home, built.report)
    return built


def told(site: Site, group: str, month: str) -> set[Series]:
    """The series that are done at the head."""
    head = site.hub.head(OHLC)
    path = told_sources.part_of(OHLC, group=group, month=Month.parse(month))
    files = site.hub.files(OHLC, revision=head)
    return told_sources.read(OHLC, path, hub=site.hub, files=files, revision=head).done(Month.parse(month))


def waiting(site: Site) -> int:
    """How many reports wait."""
    return len(reports.waiting(site.home, OHLC))


def remembered_is_true(site: Site) -> bool:
    """Whether the cache knows the head as it is: its commit, the parquet files, and how many rows they have."""
    with Cache.open(site.cache_path) as cache:
        known = cache.repo(OHLC).load()
    assert known is not None
    head = site.hub.head(OHLC)
    there = {path: file for path, file in site.hub.files(OHLC, revision=head).items() if path.endswith(".parquet")}
    assert {path: file for path, file in known.files.items() if path.endswith(".parquet")} == there
    return (known.head, known.rows) == (head, on_hub(OHLC, site.hub).height)
