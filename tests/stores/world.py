"""An upstream made by rule, so that tests can say what must be on the Hub, and ways to look at what is.

At any time `now_ms` the market of coin n and the candles of pair n are fixed: fetching twice gives the same.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_data
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.rows import Checked, Rejected, content_columns, frame_of
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.landing import land
from datahub_assets.stores.publish.publisher import Published, publish
from datahub_assets.stores.publish.work import Work

GAPS, CORRECTIONS = ledgers_of(OHLC)
NO_LIMITS = CommitLimits(publish_interval_s=1, commits_per_hour=100_000)
START_MS = int(datetime(2025, 11, 22, 9, 30, tzinfo=UTC).timestamp() * 1000)


def at(text: str) -> int:
    """Epoch ms of an ISO time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def market(now_ms: int, *, coins: int = 5) -> pl.DataFrame:
    """The market as fetched at a moment: every coin was updated in the minute before."""
    rows = []
    for coin in range(coins):
        updated = (now_ms - coin * 1000) // MINUTE_MS * MINUTE_MS
        rows.append(
            {
                **dict.fromkeys(MARKET.column_names),
                "coin_id": f"coin-{coin}",
                "symbol": f"C{coin}",
                "name": f"Coin {coin} ünïcode",
                "price": 1.0 + coin + updated % 7_919 / 1000,
                "market_cap": 1e9 / (coin + 1),
                "market_cap_rank": coin + 1,
                "provider": "coingecko",
                "timestamp": updated,
                "ingested_at": now_ms,
            }
        )
    return frame_of(MARKET, rows)


def candles(
    now_ms: int, *, pairs: int = 3, back: int = 3, intervals: Sequence[str] = ("1h", "1d"), skip: Iterable[int] = ()
) -> pl.DataFrame:
    """The forming candle and the last closed ones of each pair; those that open at a time of `skip` are left out."""
    left_out = set(skip)
    rows = []
    for name in intervals:
        step = interval(name)
        for pair in range(pairs):
            for ago in range(back + 1):
                opened = step.floor(now_ms) - ago * step.length_ms
                if opened not in left_out:
                    rows.append(_candle(f"P{pair}USDT", name, opened, now_ms=now_ms))
    return frame_of(OHLC, rows)


def _candle(symbol: str, name: str, opened: int, *, now_ms: int) -> dict[str, object]:
    step = interval(name)
    until = min(now_ms, opened + step.length_ms)
    value = 100.0 + (opened // MINUTE_MS + until // MINUTE_MS) % 997
    return {
        "symbol": symbol,
        "interval": name,
        "timestamp": opened,
        "close_time": step.close_time(opened),
        "open": value,
        "high": value + 1,
        "low": value - 1,
        "close": value + 0.5,
        "volume": float(until - opened),
        "quote_volume": 1.0,
        "trade_count": (until - opened) // MINUTE_MS,
        "taker_buy_volume": 0.5,
        "taker_buy_quote_volume": 0.5,
        "closed": until == opened + step.length_ms,
        "provider": "binance",
        "ingested_at": now_ms,
    }


@dataclass
class Site:
    """One installation: its landing folder and its cache, working for one account of a Hub."""

    home: Path
    hub: Hub
    limits: CommitLimits = NO_LIMITS
    slept_s: list[float] = field(default_factory=list)

    @property
    def cache_path(self) -> Path:
        """The cache file."""
        return self.home / "cache.sqlite3"

    def land(self, spec: DatasetSpec, frame: pl.DataFrame, *, now_ms: int, rejected: Sequence[Rejected] = ()) -> None:
        """What a source asset does."""
        land(self.home / "landing", spec, Checked(frame, tuple(rejected)), now_ms=now_ms)

    def store(self, spec: DatasetSpec, *frames: pl.DataFrame, now_ms: int, rejected: Sequence[Rejected] = ()) -> None:
        """Land and drain."""
        for frame in frames:
            self.land(spec, frame, now_ms=now_ms, rejected=rejected)
        with Cache.open(self.cache_path) as cache:
            cache.drain(self.home / "landing", spec, now_ms=now_ms)

    def publish(self, spec: DatasetSpec, *, now_ms: int) -> Published:
        """Publish with pauses noted instead of slept."""
        with Cache.open(self.cache_path) as cache:
            return publish(
                spec, cache=cache, hub=self.hub, limits=self.limits, now_ms=now_ms, sleep=self.slept_s.append
            )

    def work(self, spec: DatasetSpec, *, cache: Cache, now_ms: int) -> Work:
        """What the steps of a publish are given."""
        return Work(spec=spec, cache=cache, hub=self.hub, now_ms=now_ms, log=logging.getLogger(__name__))

    def tick(self, spec: DatasetSpec, frame: pl.DataFrame, *, now_ms: int) -> Published:
        """The whole chain once."""
        self.store(spec, frame, now_ms=now_ms)
        return self.publish(spec, now_ms=now_ms)


def on_hub(spec: DatasetSpec, hub: Hub, *, revision: str | None = None) -> pl.DataFrame:
    """All rows a commit holds, in file order; fails when a key is there twice."""
    head = revision or hub.head(spec)
    files = sorted(path for path in hub.files(spec, revision=head) if is_data(path))
    frames = [layout.read(spec, hub.read(spec, path, revision=head), name=path) for path in files]
    rows = pl.concat([frame_of(spec, []), *frames])
    assert rows.select(spec.key).is_unique().all(), "a key is in the dataset twice"
    return rows.sort(spec.file_order)


def ledger_on_hub(spec: DatasetSpec, ledger: LedgerSpec, hub: Hub) -> pl.DataFrame:
    """All lines of a ledger at the head."""
    return layout.read(ledger, hub.read(spec, ledger.path, revision=hub.head(spec)), name=ledger.path)


def in_cache(spec: DatasetSpec | LedgerSpec, path: Path) -> pl.DataFrame:
    """All rows of the cache."""
    with Cache.open(path) as cache:
        rows = cache.table(spec).read()
    return rows.sort(spec.file_order if isinstance(spec, DatasetSpec) else spec.key)


def paths_on_hub(spec: DatasetSpec, hub: Hub) -> list[str]:
    """Data files at the head."""
    return sorted(path for path in hub.files(spec, revision=hub.head(spec)) if is_data(path))


def content(spec: DatasetSpec, frame: pl.DataFrame) -> set[tuple[object, ...]]:
    """What rows say, when they were fetched apart."""
    lists = [pl.col(name).list.join(",") for name, kind in frame.schema.items() if kind == pl.List]
    return set(frame.with_columns(lists).select(content_columns(spec)).rows())


def assert_settled(spec: DatasetSpec, site: Site, expected: pl.DataFrame) -> None:
    """Upstream = cache = Hub, each row once and each with a commit."""
    cached = in_cache(spec, site.cache_path)
    assert content(spec, cached) == content(spec, expected)
    assert on_hub(spec, site.hub).equals(cached)
    with Cache.open(site.cache_path) as cache:
        assert cache.waiting(spec) == 0
