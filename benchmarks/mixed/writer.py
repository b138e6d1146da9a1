"""One who commits while others read: moved candles and new prices in turn, as the publisher lays them out."""

import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Final

import numpy as np
import polars as pl

from benchmarks.made import data
from benchmarks.made.candles import NOW_MS, SEED
from benchmarks.made.ticks import prices
from benchmarks.servers.hub import layout
from benchmarks.servers.product import Product
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

COMMIT_EVERY_S: Final = 3.0
_FIRST_AFTER_S: Final = 5.0
_RECENT_MINUTES: Final = 60
"""As many as are in the small file before it is rolled."""
_DAYS: Final = 60
Committed = dict[str, float]
"""When the Hub had answered which commit, epoch s."""


def price_history() -> pl.DataFrame:
    """Daily prices of all coins for some months, and two hours of them minute by minute."""
    today = NOW_MS - NOW_MS % DAY_MS
    daily = np.arange(today - _DAYS * DAY_MS, today, DAY_MS)
    recent = np.arange(NOW_MS - 2 * HOUR_MS, NOW_MS, MINUTE_MS)
    return prices(np.random.default_rng(SEED), times_ms=np.concatenate((daily, recent)))


def commits(product: Product, committed: Committed, done: threading.Event) -> None:
    """Commit until `done`, and note when."""
    turns = _turns()
    wait_s = _FIRST_AFTER_S
    while not done.wait(wait_s):
        spec, files = next(turns)
        sha = product.hub.commit(spec, files)
        committed[sha] = time.time()
        wait_s = COMMIT_EVERY_S


def _turns() -> Iterator[tuple[DatasetSpec, dict[str, bytes]]]:
    forming = data.frame().filter(~pl.col("closed"))
    for number in count(1):
        moved = forming.with_columns(pl.col("close") * (1 + number * 1e-4))
        yield OHLC, layout(OHLC, moved)
        minutes = NOW_MS + np.arange(number % _RECENT_MINUTES + 1) * MINUTE_MS
        fresh = prices(np.random.default_rng(SEED + number), times_ms=minutes)
        yield MARKET, layout(MARKET, fresh, now_ms=NOW_MS)
