"""One running stack for all end-to-end tests: starting it is most of what they cost."""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.stack import COINS, HISTORY, INTERVALS, SYMBOLS, Stack
from tests.fakes import Clock, FakeBinance, FakeCoinGecko

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def _quiet_time_ms() -> int:
    """A time for the fakes at which no candle closes during the test: now, or a little earlier near a full hour."""
    now_ms = time.time_ns() // 1_000_000
    until_hour_ms = HOUR_MS - now_ms % HOUR_MS
    return now_ms - 4 * MINUTE_MS if until_hour_ms < 4 * MINUTE_MS else now_ms


@pytest.fixture(scope="session")
def clock() -> Clock:
    clock = Clock()
    clock.run(_quiet_time_ms())
    return clock


@pytest.fixture(scope="session")
def coingecko(clock: Clock) -> Iterator[FakeCoinGecko]:
    with FakeCoinGecko(clock=clock) as fake:
        fake.hold()
        yield fake


@pytest.fixture(scope="session")
def binance(clock: Clock) -> Iterator[FakeBinance]:
    with FakeBinance(clock=clock) as fake:
        yield fake


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, coingecko: FakeCoinGecko, binance: FakeBinance) -> Iterator[Stack]:
    upstreams = {
        "COINGECKO_BASE_URL": f"{coingecko.url}/api/v3",
        "BINANCE_BASE_URLS": binance.url,
        "DATAHUB_DATASETS": "market,ohlc",
        "DATAHUB_COINS": str(COINS),
        "DATAHUB_SYMBOLS": ",".join(SYMBOLS),
        "DATAHUB_INTERVALS": ",".join(INTERVALS),
        "DATAHUB_HISTORY_CANDLES": str(HISTORY),
    }
    with Stack(tmp_path_factory.mktemp("stack") / "home", upstreams=upstreams) as stack:
        stack.wait_for(
            lambda: (
                (status := stack.get("/api/hub/status"))
                and status["market_dataset"]["records"] == COINS
                and status["ohlc_dataset"]["records"] == len(SYMBOLS) * len(INTERVALS) * HISTORY
            ),
            "both datasets in the API",
        )
        yield stack
