"""What a minute brings, made from a seed: moved and closing candles, new prices. Frames only; nothing is stored."""

from typing import Final

import numpy as np
import polars as pl

from benchmarks.made.candles import INTERVALS, typed
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import utc_datetime

COINS: Final = 250


def candle_tick(forming: pl.DataFrame, rng: np.random.Generator, *, now_ms: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What Binance would answer for series whose last candles are `forming`, a minute later.

    Returns:
        The rows of the answer (the last candle and, when it has just closed, its successor), and the new forming rows.
    """
    moved = _moved(forming, rng, now_ms=now_ms)
    length_ms = pl.col("interval").replace_strict({name: interval(name).length_ms for name in INTERVALS})
    successors = moved.filter(pl.col("closed")).with_columns(
        timestamp=pl.col("timestamp") + pl.duration(milliseconds=length_ms),
        close_time=pl.col("close_time") + pl.duration(milliseconds=length_ms),
        closed=pl.lit(value=False),
        **{name: pl.col("close") for name in ("open", "high", "low")},
    )
    answer = pl.concat([moved, successors.select(moved.columns)])
    return answer, answer.filter(~pl.col("closed"))


def _moved(forming: pl.DataFrame, rng: np.random.Generator, *, now_ms: int) -> pl.DataFrame:
    close = pl.col("close") * pl.Series(rng.normal(1.0, 0.0008, forming.height))
    return (
        forming.with_columns(close=close.round(4), volume=(pl.col("volume") * 1.01).round(3))
        .with_columns(
            high=pl.max_horizontal("high", "close"),
            low=pl.min_horizontal("low", "close"),
            trade_count=pl.col("trade_count") + 3,
            closed=pl.col("close_time").dt.epoch("ms") < now_ms,
            ingested_at=pl.lit(utc_datetime(now_ms)),
        )
        .select(OHLC.column_names)
    )


def prices(rng: np.random.Generator, *, times_ms: np.ndarray) -> pl.DataFrame:
    """A row of every coin at each of the times (ms), in the schema and order of the market dataset."""
    rows = COINS * times_ms.size
    coins = np.repeat(np.arange(COINS), times_ms.size)
    price = np.round(np.exp(8 - coins / 25) * rng.normal(1.0, 0.01, rows), 6)
    stamps = np.tile(times_ms, COINS)
    made = pl.DataFrame(
        {
            "coin_id": [f"coin-{number:03d}" for number in coins],
            "symbol": [f"C{number:03d}" for number in coins],
            "name": [f"Coin {number}" for number in coins],
            "price": price,
            "market_cap": np.round(price * 1e7),
            "market_cap_rank": coins + 1,
            "volume_24h": np.round(rng.lognormal(16, 1, rows)),
            "change_24h": np.round(rng.normal(0, 3, rows), 5),
            "high_24h": np.round(price * 1.02, 6),
            "low_24h": np.round(price * 0.98, 6),
            "price_change_24h": np.round(price * 0.01, 6),
            "circulating_supply": np.full(rows, 1e7),
            "provider": MARKET.provider,
            "timestamp": stamps,
            "ingested_at": stamps,
        }
    )
    absent = [pl.lit(None).alias(name) for name in MARKET.column_names if name not in made.columns]
    return made.with_columns(absent).select(typed(MARKET)).sort(list(MARKET.file_order))
