"""Bytes that a tick commits to both datasets, counted on the Hub, with a month of history and with five years.

Over a whole day, since its files are written when hours and the day end; `--quick` looks at one hour.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import polars as pl

from benchmarks.environment import quiet_environment
from benchmarks.made.candles import NOW_MS, SEED, candles
from benchmarks.made.ticks import candle_tick, prices
from benchmarks.measuring.results import Row, against, ratio_at_most
from benchmarks.measuring.rounds import FULL, Effort
from benchmarks.servers.hub import Hub, embedded_hub, layout
from benchmarks.servers.processes import free_port
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.hub.client import Hub as Publisher
from datahub_assets.stores.publish.publisher import publish

_PAIRS: Final = 20
_MONTH_DAYS: Final = 30
_YEARS_DAYS: Final = 5 * 365
_FIRST_MS: Final = NOW_MS + 20 * MINUTE_MS
"""12:50 UTC: the ticks that follow see an hour's candles close (13:00) and an hour of prices fold (13:10)."""
_DAY: Final = 24 * 60
_HOUR: Final = 60
_NO_LIMITS: Final = CommitLimits(publish_interval_s=1, commits_per_hour=100_000)


def measure(effort: Effort) -> list[Row]:
    """One row: KiB a tick, the mean of a day of ticks, or of an hour in which an hour of prices is sealed."""
    ticks, told = (_DAY, "mean of a day") if effort is FULL else (_HOUR, "mean of an hour")
    after_years, after_month = (_kib_per_tick(days, ticks=ticks) for days in (_YEARS_DAYS, _MONTH_DAYS))
    work = f"committed per tick (20 pairs, 250 coins), {told}, after 5 years of history"
    peers = {"after 1 month": [after_month]}
    return [against(work, [after_years], peers=peers, unit="KiB", target=ratio_at_most(1.1), less_is_better=True)]


def _kib_per_tick(days: int, *, ticks: int) -> float:
    with TemporaryDirectory(prefix="datahub-bench-") as name:
        home, port = Path(name), free_port()
        argv = [sys.executable, "-m", "localhub", "serve", "--home", str(home / "hub"), "--port", str(port)]
        argv += ["--token-file", str(home / "token")]
        with embedded_hub(argv, env=quiet_environment(), home=home, port=port, log=home / "log") as hub:
            history = candles(symbols=_PAIRS, now_ms=_FIRST_MS, days=days)
            hub.commit(OHLC, layout(OHLC, history, now_ms=_FIRST_MS))
            hub.commit(MARKET, layout(MARKET, _price_history(days), now_ms=_FIRST_MS))
            with Cache.open(home / "cache.sqlite3") as cache:
                return _tick(hub, cache, history.filter(~pl.col("closed")), ticks=ticks) / 1024


def _price_history(days: int) -> pl.DataFrame:
    """Two hours of minutes, and before that one row per coin and day: days are files, and files are what may cost."""
    today = _FIRST_MS - _FIRST_MS % DAY_MS
    recent = np.arange(_FIRST_MS - 2 * HOUR_MS, _FIRST_MS, MINUTE_MS)
    daily = np.arange(today - days * DAY_MS, today, DAY_MS)
    return prices(np.random.default_rng(SEED), times_ms=np.concatenate((daily, recent)))


def _tick(hub: Hub, cache: Cache, forming: pl.DataFrame, *, ticks: int) -> float:
    """Publish so many minutes of both datasets; mean bytes of new files on the Hub, the first tick left out."""
    rng = np.random.default_rng(SEED)
    publisher = Publisher(hub.api.endpoint, hub.token)
    sizes = []
    for now_ms in range(_FIRST_MS, _FIRST_MS + (ticks + 1) * MINUTE_MS, MINUTE_MS):
        answer, forming = candle_tick(forming, rng, now_ms=now_ms)
        cache.upsert(OHLC, answer)
        cache.upsert(MARKET, prices(rng, times_ms=np.array([now_ms])))
        sizes.append(sum(_published(spec, hub, cache, publisher, now_ms=now_ms) for spec in (OHLC, MARKET)))
    return sum(sizes[1:]) / ticks


def _published(spec: DatasetSpec, hub: Hub, cache: Cache, publisher: Publisher, *, now_ms: int) -> int:
    before = hub.blobs(spec)
    publish(spec, cache=cache, hub=publisher, limits=_NO_LIMITS, now_ms=now_ms)
    after = hub.blobs(spec)
    return sum(size for path, (content, size) in after.items() if before.get(path, ("", 0))[0] != content)
