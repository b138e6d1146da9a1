"""What tests of the sources stand on: fakes with a clock that stands still, and a sleep that moves it."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from datahub_assets.settings import Settings
from datahub_assets.sources import pauses
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance import hosts
from tests.fakes import Clock, FakeBinance, FakeCoinGecko

NOW_MS = 1_763_800_015_000  # 2025-11-22 08:26:55, five seconds before the minute
LOG = logging.getLogger("tests.sources")


@pytest.fixture(autouse=True)
def _fresh_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test inherits what another test's upstream asked for: ports come again."""
    monkeypatch.setattr(pauses.PAUSES, "_until_ms", {})
    monkeypatch.setattr(hosts, "_PREFERRED", {})


class VirtualSleep:
    """Moves the clock instead of waiting, and remembers for how long it was asked to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._clock.advance(round(seconds * 1000))
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW_MS)


@pytest.fixture
def sleep(clock: Clock) -> VirtualSleep:
    return VirtualSleep(clock)


@pytest.fixture
def backoff(sleep: VirtualSleep) -> Backoff:
    """Three attempts with pauses of 0.5 and 1 s."""
    return Backoff(sleep=sleep, chance=lambda: 0.5)


@pytest.fixture
def coingecko(clock: Clock) -> Iterator[FakeCoinGecko]:
    with FakeCoinGecko(clock=clock) as fake:
        yield fake


@pytest.fixture
def binance(clock: Clock) -> Iterator[FakeBinance]:
    with FakeBinance(clock=clock) as fake:
        yield fake


@pytest.fixture
def second_binance(clock: Clock) -> Iterator[FakeBinance]:
    with FakeBinance(clock=clock) as fake:
        yield fake


SettingsOf = Callable[..., Settings]


@pytest.fixture
def settings_of(coingecko: FakeCoinGecko, binance: FakeBinance) -> SettingsOf:
    """Settings that point at the fakes, with single variables set by keyword (without `DATAHUB_`)."""

    def settings(**variables: str) -> Settings:
        return Settings.from_env(
            {
                "COINGECKO_BASE_URL": coingecko.url,
                "BINANCE_BASE_URLS": binance.url,
                "DATAHUB_SYMBOLS": "BTCUSDT,ETHUSDT",
                "DATAHUB_HISTORY_CANDLES": "10",
                **{name if "_BASE_URL" in name or "API_KEY" in name else f"DATAHUB_{name}": value
                   for name, value in variables.items()},
            }
        )  # fmt: skip

    return settings
