"""Weight, 429 and bans: who is told to wait does."""

import asyncio

import pytest

from datahub_assets.datasets.candles.client import Binance
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.domain.errors import SourceRateLimited
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from tests.fakes import Clock, FakeBinance
from tests.sources.binance.conftest import KLINES, Fetch, series
from tests.sources.conftest import LOG, NOW_MS, VirtualSleep


def test_a_short_pause_is_waited_by_everybody(fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep) -> None:
    binance.fail("rate_limited", path=KLINES, retry_after_s=3)
    fetched = fetch(SYMBOLS="all:USDT")
    assert fetched.failed == {}
    assert len(series(fetched)) == 90
    assert sum(sleep.waits) >= 3
    assert max(sleep.waits) <= 4


def test_after_one_429_nobody_asks_before_its_time(binance: FakeBinance, sleep: VirtualSleep, clock: Clock) -> None:
    async def ask() -> None:
        once = Backoff(attempts=1, sleep=sleep)
        async with Http() as http:
            client = Binance(http, base_urls=[binance.url], clock=clock.now_ms, backoff=once, log=LOG)
            with pytest.raises(SourceRateLimited):
                await client.server_time()
            assert sleep.waits == []
            await client.klines("BTCUSDT", interval("1h"), start_ms=None, end_ms=NOW_MS, limit=1)

    binance.fail("rate_limited", retry_after_s=7)
    asyncio.run(ask())
    assert sleep.waits == [7]


@pytest.mark.parametrize("with_header", [True, False])
def test_a_ban_ends_the_run_and_is_not_poked(
    fetch: Fetch, binance: FakeBinance, clock: Clock, with_header: bool
) -> None:
    until_ms = NOW_MS + 2 * MINUTE_MS
    binance.fail("banned", times=None, until_ms=until_ms, retry_after=with_header)
    with pytest.raises(SourceRateLimited, match="banned until") as caught:
        fetch()
    assert caught.value.retry_after_s == 120
    clock.advance(2 * MINUTE_MS - 1)
    with pytest.raises(SourceRateLimited, match="not asked before"):
        fetch()
    assert len(binance.requests) == 1
    binance.recover()
    clock.advance(1)
    assert len(series(fetch())) == 6


def test_a_ban_in_the_middle_keeps_what_was_had_and_tells_until_when(fetch: Fetch, binance: FakeBinance) -> None:
    until_ms = NOW_MS + 10 * MINUTE_MS
    binance.fail("banned", path=KLINES, where={"symbol": "ETHUSDT", "interval": "1d"}, until_ms=until_ms)
    fetched = fetch()
    assert fetched.pause_until_ms == until_ms
    assert fetched.failed.keys() >= {("ETHUSDT", "1d")}
    assert len(series(fetched)) == 6 - len(fetched.failed)


def test_a_ban_of_an_earlier_process_is_kept(fetch: Fetch, binance: FakeBinance) -> None:
    with pytest.raises(SourceRateLimited) as caught:
        fetch(not_before_ms=NOW_MS + MINUTE_MS)
    assert caught.value.retry_after_s == 60
    assert binance.requests == []


def test_a_limit_without_a_time_is_waited_to_the_end_of_the_minute(
    fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep
) -> None:
    binance.fail("rate_limited", path="/time", retry_after_s=None)
    assert len(series(fetch())) == 6
    (wait_s,) = sleep.waits
    assert 5 < wait_s < 7  # it is five seconds to the minute


def test_near_the_limit_the_rest_waits_for_the_next_minute(
    fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep, clock: Clock
) -> None:
    binance.set_weight_limit(limit=100)
    fetched = fetch(SYMBOLS="all:USDT")  # 90 series weigh 180: three minutes' worth of 90 % of 100
    assert len(series(fetched)) == 90
    assert fetched.failed == {}
    assert binance.banned_until_ms == 0
    assert {round(wait) for wait in sleep.waits} <= {6, 60}
    assert clock.now_ms() - NOW_MS > MINUTE_MS
