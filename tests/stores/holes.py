"""Hourly candles with holes, and the gaps a ledger tells of them."""

from datetime import UTC, datetime

import polars as pl

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.times import HOUR_MS
from tests.stores.world import GAPS, START_MS, Site, candles, ledger_on_hub

NOW_H = START_MS - START_MS % HOUR_MS
"""The hour that is forming at START_MS."""


def hour(ago: int) -> int:
    return NOW_H - ago * HOUR_MS


def when(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms / 1000, UTC)


def hourly(now_ms: int, *, back: int = 6, skip: tuple[int, ...] = ()) -> pl.DataFrame:
    return candles(now_ms, pairs=1, back=back, intervals=["1h"], skip=skip)


def gap_lines(site: Site) -> list[tuple[int, int, str, bool]]:
    """Published lines: hours ago of the first and last missing candle, cause, whether healed."""
    lines = ledger_on_hub(OHLC, GAPS, site.hub)
    times = lines.select(pl.col("first_time", "last_time").dt.epoch("ms")).rows()
    return [
        ((NOW_H - first) // HOUR_MS, (NOW_H - last) // HOUR_MS, cause, healed is not None)
        for (first, last), cause, healed in zip(times, lines["cause"], lines["healed_at"], strict=True)
    ]
