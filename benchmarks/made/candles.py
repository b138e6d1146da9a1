"""Candles made from a seed: the same frame on every machine, for timing only.

Nothing here reads or writes files, and nothing here is ever published outside a benchmark's own Hub.
"""

from typing import Final

import numpy as np
import polars as pl

from datahub_assets.datasets.candles.intervals import Interval, interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.rows import from_epoch_ms
from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import DAY_MS, HOUR_MS

SEED: Final = 20_261_101
SYMBOLS: Final = 400
INTERVALS: Final = ("1h", "4h", "1d")
NOW_MS: Final = 1_793_536_200_000
"""2026-11-01 12:30:00 UTC: the moment at which the made history ends."""

_OLDEST_DAYS: Final = 402
_YOUNGEST_DAYS: Final = 82


def symbol_name(index: int) -> str:
    """Name of the made pair number `index`; number 0 is the one with the longest history."""
    return f"SYM{index:03d}USDT"


def age_days(index: int, *, symbols: int) -> int:
    """Days of history of a pair: they fall evenly, as on an exchange that lists new pairs all the time."""
    span = _OLDEST_DAYS - _YOUNGEST_DAYS
    return _OLDEST_DAYS - round(span * index / max(symbols - 1, 1))


def candles(*, symbols: int = SYMBOLS, seed: int = SEED, now_ms: int = NOW_MS, days: int | None = None) -> pl.DataFrame:
    """All candles of `symbols` pairs in the three intervals, in the schema and order of the ohlc dataset.

    4h and 1d candles are summed up from the hourly ones, so the intervals agree. The newest candle of each series is
    still forming. 400 symbols with the default ages are 3.0 M rows; `days` gives all pairs the same age.
    """
    rng = np.random.default_rng(seed)
    ages = [days if days is not None else age_days(i, symbols=symbols) for i in range(symbols)]
    hourly = pl.concat([_hourly(rng, symbol_name(i), days=age, now_ms=now_ms) for i, age in enumerate(ages)])
    frames = [_finished(_summed(hourly, name), interval(name), now_ms=now_ms) for name in INTERVALS]
    return pl.concat(frames).sort(list(OHLC.file_order))


def _hourly(rng: np.random.Generator, symbol: str, *, days: int, now_ms: int) -> pl.DataFrame:
    """A random walk of hourly candles that ends with the hour `now_ms` lies in."""
    last = now_ms - now_ms % HOUR_MS
    first = now_ms - now_ms % DAY_MS - days * DAY_MS
    times = np.arange(first, last + 1, HOUR_MS, dtype=np.int64)
    steps = rng.normal(0.0, 0.006, times.size)
    closes = np.exp(rng.uniform(-2.0, 10.0) + np.cumsum(steps))
    opens = np.concatenate((closes[:1], closes[:-1]))
    wicks = np.abs(rng.normal(0.0, 0.003, (2, times.size)))
    volumes = rng.lognormal(6.0, 1.0, times.size)
    shares = rng.uniform(0.35, 0.65, times.size)
    return pl.DataFrame(
        {
            "symbol": pl.Series([symbol]).new_from_index(0, times.size),
            "timestamp": times,
            "open": opens,
            "high": np.maximum(opens, closes) * (1 + wicks[0]),
            "low": np.minimum(opens, closes) * (1 - wicks[1]),
            "close": closes,
            "volume": volumes,
            "quote_volume": volumes * closes,
            "trade_count": rng.poisson(900, times.size),
            "taker_buy_volume": volumes * shares,
            "taker_buy_quote_volume": volumes * closes * shares,
        }
    )


def _summed(hourly: pl.DataFrame, name: str) -> pl.DataFrame:
    """Hourly candles put together to candles of the interval `name`."""
    length_ms = interval(name).length_ms
    opens_at = pl.col("timestamp") - pl.col("timestamp") % length_ms
    sums = ("volume", "quote_volume", "trade_count", "taker_buy_volume", "taker_buy_quote_volume")
    return (
        hourly.with_columns(timestamp=opens_at, interval=pl.lit(name))
        .group_by("symbol", "interval", "timestamp", maintain_order=True)
        .agg(pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), *(pl.sum(column) for column in sums))
    )


def _finished(frame: pl.DataFrame, of: Interval, *, now_ms: int) -> pl.DataFrame:
    """The remaining columns, prices and volumes with as many digits as an exchange prints, and exact types."""
    prices = [pl.col(name).round(4) for name in ("open", "high", "low", "close")]
    amounts = pl.col(r"^.*volume$").round(3)
    close_time = pl.col("timestamp") + of.length_ms - 1
    return frame.with_columns(
        *prices,
        amounts,
        close_time=close_time,
        closed=close_time < now_ms,
        provider=pl.lit(OHLC.provider),
        ingested_at=pl.min_horizontal(close_time + 1_000, pl.lit(now_ms)),
    ).select(typed(OHLC))


def typed(spec: TableSpec) -> list[pl.Expr]:
    """The spec's columns with its types, of a frame whose times are epoch milliseconds."""
    return [
        from_epoch_ms(pl.col(column.name))
        if column.kind is ColumnKind.TIME
        else pl.col(column.name).cast(column.kind.polars)
        for column in spec.columns
    ]
