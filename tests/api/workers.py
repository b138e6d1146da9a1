"""The workers' part in the API's tests: rows become commits through the product's own cache and publisher."""

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from datahub_assets.datasets.candles.intervals import interval as interval_of
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.rows import frame_of
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.publisher import publish

NOW_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
LIMITS = CommitLimits(publish_interval_s=1, commits_per_hour=100_000)
COINS = (("bitcoin", "BTC", 1.8e12), ("ethereum", "ETH", 4e11), ("tether", "USDT", 1.5e11), ("batcat", "BTC", 1e6))


class Workers:
    """Publishes to a Hub what it is given; `now_ms` moves only when a test moves it."""

    def __init__(self, home: Path, *, endpoint: str, token: str) -> None:
        self.cache = Cache.open(home / "cache.sqlite3")
        self.hub = Hub(endpoint, token, "local")
        self.now_ms = NOW_MS

    def close(self) -> None:
        self.cache.close()

    def publish(self, spec: DatasetSpec, frame: pl.DataFrame) -> str:
        """Commit rows; the commit's sha."""
        self.cache.upsert(spec, frame)
        self.now_ms += 60_000
        published = publish(spec, cache=self.cache, hub=self.hub, limits=LIMITS, now_ms=self.now_ms)
        assert published.commit is not None, published.reason
        return published.commit


def candles(
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"),
    *,
    interval: str = "1h",
    count: int = 100,
    until_ms: int = NOW_MS,
    seed: int = 0,
) -> pl.DataFrame:
    """`count` candles of each symbol, the last of them still forming at `until_ms`; another seed, another value."""
    length = interval_of(interval)
    last = length.floor(until_ms)
    rows: list[dict[str, Any]] = []
    for symbol in symbols:
        for back in range(count):
            opened = last - back * length.length_ms
            chance = random.Random(f"{symbol}{interval}{opened}{seed}")  # noqa: S311 - reproducible, not secret
            low, high = sorted(chance.uniform(10, 1000) for _ in range(2))
            rows.append(
                {
                    "symbol": symbol,
                    "interval": interval,
                    "timestamp": opened,
                    "close_time": length.close_time(opened),
                    "open": chance.uniform(low, high),
                    "high": high,
                    "low": low,
                    "close": chance.uniform(low, high),
                    "volume": chance.uniform(0, 1e6),
                    "quote_volume": chance.uniform(0, 1e9),
                    "trade_count": chance.randrange(10**6),
                    "taker_buy_volume": chance.uniform(0, 1e6),
                    "taker_buy_quote_volume": chance.uniform(0, 1e9),
                    "closed": back > 0,
                    "provider": "binance",
                    "ingested_at": until_ms + seed,
                }
            )
    return frame_of(OHLC, rows)


def example(spec: DatasetSpec) -> pl.DataFrame:
    """The one row that the spec's examples make."""
    told = {
        column.name: datetime.fromisoformat(str(column.example)) if column.kind is ColumnKind.TIME else column.example
        for column in spec.columns
    }
    return frame_of(spec, [{name: list(one) if isinstance(one, tuple) else one for name, one in told.items()}])


def prices(
    *, at_ms: int = NOW_MS, coins: tuple[tuple[str, str, float], ...] = COINS, factor: float = 1.0
) -> pl.DataFrame:
    """A row per coin, stamped a second apart; the price is the market cap over a million."""
    rows: list[dict[str, Any]] = [
        {
            "coin_id": coin_id,
            "symbol": symbol,
            "name": coin_id.title(),
            "price": market_cap / 1e6 * factor,
            "market_cap": market_cap,
            "market_cap_rank": rank,
            "volume_24h": market_cap / 10,
            "change_24h": -1.5,
            "high_24h": market_cap / 1e6,
            "low_24h": market_cap / 2e6,
            "provider": "coingecko",
            "timestamp": at_ms - rank * 1000,
            "ingested_at": at_ms,
        }
        for rank, (coin_id, symbol, market_cap) in enumerate(coins, start=1)
    ]
    return frame_of(MARKET, rows)
