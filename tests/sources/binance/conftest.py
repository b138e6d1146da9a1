"""Fetching candles from fake Binance hosts, and how what came is compared with what they have."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.candles.client import fetch_candles
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.rechecks import Recheck
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from tests.fakes import Clock, FakeBinance
from tests.sources.conftest import LOG, NOW_MS, SettingsOf

Fetch = Callable[..., Fetched]
KLINES = "/klines"
NEWEST_HOUR = interval("1h").floor(NOW_MS)


@pytest.fixture
def fetch(settings_of: SettingsOf, clock: Clock, backoff: Backoff) -> Fetch:
    def fetch(
        *,
        last: Mapping[tuple[str, str], int] | None = None,
        rechecks: Mapping[tuple[str, ...], Recheck] | None = None,
        not_before_ms: int = 0,
        **variables: str,
    ) -> Fetched:
        ask = partial(fetch_candles, clock=clock.now_ms, log=LOG, backoff=backoff, not_before_ms=not_before_ms)
        settings, last = settings_of(**variables), last or {}
        if rechecks is None:  # all of them just now
            rechecks = dict.fromkeys(last, Recheck(clock.now_ms(), clock.now_ms()))
        return ask(settings.of(CandleSettings), tick_s=settings.tick_s, last_open_times=last, rechecks=rechecks)

    return fetch


def rows_of(fetched: Fetched, symbol: str, name: str) -> list[tuple[Any, ...]]:
    frame = fetched.checked.frame.filter((pl.col("symbol") == symbol) & (pl.col("interval") == name))
    return (
        frame.sort("timestamp")
        .select(pl.col("timestamp").dt.epoch("ms"), "open", "high", "low", "close", "volume", "trade_count", "closed")
        .rows()
    )


def reference(binance: FakeBinance, symbol: str, name: str, *, limit: int) -> list[tuple[Any, ...]]:
    """The newest candles as the exchange has them, in the form of `rows_of`."""
    now_ms = binance.clock.now_ms()
    return [
        (row[0], *(float(str(value)) for value in row[1:6]), row[8], int(str(row[6])) < now_ms)
        for row in binance.reference(symbol, name, limit=limit)
    ]


def series(fetched: Fetched) -> set[tuple[str, str]]:
    return set(fetched.checked.frame.select("symbol", "interval").iter_rows())
