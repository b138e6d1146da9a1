"""Fetching candles, against fake Binance hosts over HTTP."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl
import pytest

from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.domain.intervals import DAY_MS, HOUR_MS, MINUTE_MS, interval
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance import Binance, Range, fetch_candles, fetch_ranges
from datahub_assets.sources.fetched import Fetched
from datahub_assets.sources.http import Http
from tests.fakes import Clock, FakeBinance
from tests.sources.conftest import LOG, NOW_MS, SettingsOf, VirtualSleep

Fetch = Callable[..., Fetched]
KLINES = "/klines"
NEWEST_HOUR = interval("1h").floor(NOW_MS)


@pytest.fixture
def fetch(settings_of: SettingsOf, clock: Clock, backoff: Backoff) -> Fetch:
    def fetch(
        *, last: Mapping[tuple[str, str], int] | None = None, not_before_ms: int = 0, **variables: str
    ) -> Fetched:
        ask = partial(fetch_candles, clock=clock.now_ms, log=LOG, backoff=backoff, not_before_ms=not_before_ms)
        return ask(settings_of(**variables), last_open_times=last or {})

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


@pytest.mark.parametrize("history", [1, 10, 1000, 1001, 2500])
def test_the_first_fill_is_as_deep_as_the_setting(fetch: Fetch, binance: FakeBinance, history: int) -> None:
    fetched = fetch(HISTORY_CANDLES=str(history))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        for name in ("1h", "4h", "1d"):
            found = rows_of(fetched, symbol, name)
            assert found == reference(binance, symbol, name, limit=history)
            assert len(found) == history
            assert [closed for *_, closed in found] == [True] * (history - 1) + [False]
    assert len(binance.requested(path=KLINES)) == 6 * -(-history // 1000)
    assert fetched.failed == {}
    assert fetched.checked.rejected == ()


def test_a_tick_asks_from_the_last_stored_candle_on(fetch: Fetch, binance: FakeBinance, clock: Clock) -> None:
    last = {("BTCUSDT", "1h"): NEWEST_HOUR}
    binance.trade("BTCUSDT", factor=1.5)
    fetched = fetch(last=last, INTERVALS="1h", SYMBOLS="BTCUSDT")
    found = rows_of(fetched, "BTCUSDT", "1h")
    assert found == reference(binance, "BTCUSDT", "1h", limit=2)  # the one before too: late trades are booked to it
    (query,) = binance.requested(path=KLINES)
    assert query == {
        "symbol": "BTCUSDT",
        "interval": "1h",
        "startTime": str(NEWEST_HOUR - HOUR_MS),
        "endTime": str(NOW_MS),
        "limit": "3",
    }


@pytest.mark.parametrize("missed", [1, 24, 998, 999, 1000, 2345])
def test_a_pause_of_any_length_heals(fetch: Fetch, binance: FakeBinance, missed: int) -> None:
    last = {("BTCUSDT", "1h"): NEWEST_HOUR - missed * HOUR_MS}
    fetched = fetch(last=last, INTERVALS="1h", SYMBOLS="BTCUSDT")
    assert rows_of(fetched, "BTCUSDT", "1h") == reference(binance, "BTCUSDT", "1h", limit=missed + 2)
    assert len(binance.requested(path=KLINES)) <= 1 + (missed + 2) // 1000


def test_a_candle_that_closes_while_being_fetched_is_still_forming(
    fetch: Fetch, binance: FakeBinance, clock: Clock
) -> None:
    """The time is asked first; klines that come after the hour has turned must not show a candle past that time."""
    clock.stop(NEWEST_HOUR + HOUR_MS - 1)
    binance.fail("late_clock", path="/api/v3/time", by_ms=5_000)
    found = rows_of(fetch(INTERVALS="1h", SYMBOLS="BTCUSDT"), "BTCUSDT", "1h")
    assert clock.now_ms() == NEWEST_HOUR + HOUR_MS - 1 + 5_000
    assert [row[0] for row in found[-2:]] == [NEWEST_HOUR - HOUR_MS, NEWEST_HOUR]
    assert [row[-1] for row in found[-2:]] == [True, False]


def test_the_candle_that_was_forming_is_closed_by_the_next_tick(
    fetch: Fetch, binance: FakeBinance, clock: Clock
) -> None:
    before = rows_of(fetch(INTERVALS="1h", SYMBOLS="BTCUSDT"), "BTCUSDT", "1h")
    assert before[-1][0] == NEWEST_HOUR
    clock.advance(HOUR_MS)
    after = rows_of(fetch(last={("BTCUSDT", "1h"): NEWEST_HOUR}, INTERVALS="1h", SYMBOLS="BTCUSDT"), "BTCUSDT", "1h")
    assert [(row[0], row[-1]) for row in after[-2:]] == [(NEWEST_HOUR, True), (NEWEST_HOUR + HOUR_MS, False)]
    assert after == reference(binance, "BTCUSDT", "1h", limit=3)


def test_gaps_of_the_exchange_stay_gaps(fetch: Fetch, binance: FakeBinance) -> None:
    start = NEWEST_HOUR - 40 * HOUR_MS
    binance.gap("BTCUSDT", start_ms=start, end_ms=start + 33 * HOUR_MS)
    found = rows_of(fetch(HISTORY_CANDLES="100", INTERVALS="1h"), "BTCUSDT", "1h")
    assert len(found) == 100
    times = [row[0] for row in found]
    assert not [time for time in times if start <= time < start + 33 * HOUR_MS]
    deep = rows_of(fetch(HISTORY_CANDLES="1100", INTERVALS="1h"), "BTCUSDT", "1h")
    assert len(deep) == 1100 - 33


def test_a_pair_listed_lately_and_one_delisted_long_ago(fetch: Fetch, binance: FakeBinance) -> None:
    binance.list_pair(base="NEW", quote="USDT", first_ms=NEWEST_HOUR - 4 * HOUR_MS)
    for history in ("10", "3000"):
        fetched = fetch(SYMBOLS="NEWUSDT,GONEUSDT", INTERVALS="1h", HISTORY_CANDLES=history)
        assert len(rows_of(fetched, "NEWUSDT", "1h")) == 5
        gone = rows_of(fetched, "GONEUSDT", "1h")
        assert gone == reference(binance, "GONEUSDT", "1h", limit=min(1000, int(history)))
        assert {closed for *_, closed in gone} == {True}


def test_all_pairs_of_a_quote(fetch: Fetch, binance: FakeBinance) -> None:
    fetched = fetch(SYMBOLS="all:USDT", INTERVALS="1d")
    expected = {(name, "1d") for name in binance.listings if name.endswith("USDT") and name != "GONEUSDT"}
    assert series(fetched) == expected
    assert series(fetch(SYMBOLS="all:BTC", INTERVALS="1d")) == {("ETHBTC", "1d"), ("BNBBTC", "1d")}
    with pytest.raises(SourceRejected, match="no pair against 'EUR'"):
        fetch(SYMBOLS="all:EUR")


def test_pairs_that_are_not_traded_are_left_out_though_the_filter_is_ignored(
    fetch: Fetch, binance: FakeBinance
) -> None:
    pairs = [
        {"symbol": f"{base}USDT", "status": status, "quoteAsset": "USDT", **spot}
        for base, status, spot in (
            ("BTC", "TRADING", {"isSpotTradingAllowed": True}),
            ("ETH", "TRADING", {}),
            ("BNB", "TRADING", {"isSpotTradingAllowed": False}),
            ("SOL", "BREAK", {"isSpotTradingAllowed": True}),
        )
    ]
    binance.fail("body", path="/exchangeInfo", text=json.dumps({"symbols": pairs}))
    assert series(fetch(SYMBOLS="all:USDT", INTERVALS="1d")) == {("BTCUSDT", "1d"), ("ETHUSDT", "1d")}


def test_a_symbol_the_exchange_does_not_know_does_not_cost_the_others(
    fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    fetched = fetch(SYMBOLS="BTCUSDT,NOPEUSDT")
    assert {name for name, _ in series(fetched)} == {"BTCUSDT"}
    assert fetched.failed.keys() == {("NOPEUSDT", name) for name in ("1h", "4h", "1d")}
    assert all(isinstance(error, SourceRejected) and "-1121" in str(error) for error in fetched.failed.values())
    assert "3 of 6 series failed (NOPEUSDT 1h, NOPEUSDT 4h, NOPEUSDT 1d)" in caplog.text
    with pytest.raises(SourceRejected, match="Invalid symbol"):
        fetch(SYMBOLS="NOPEUSDT,NADAUSDT")


def test_bad_klines_are_set_aside_and_good_ones_go_on(fetch: Fetch, binance: FakeBinance) -> None:
    good = binance.reference("BTCUSDT", "1h", limit=10)
    times = [int(str(row[0])) for row in good]
    nan, short, crossed = list(good[2]), good[3][:5], list(good[4])
    nan[1], crossed[2], crossed[3] = float("nan"), crossed[3], crossed[2]
    for time, row in zip(times[2:5], (nan, short, crossed), strict=True):
        binance.set_kline("BTCUSDT", "1h", open_time=time, kline=row)
    fetched = fetch(INTERVALS="1h")
    assert [row[0] for row in rows_of(fetched, "BTCUSDT", "1h")] == times[:2] + times[5:]
    reasons = [row.reason for row in fetched.checked.rejected]
    assert reasons[:2] == ["open is not finite: nan", "kline has 5 elements, not 12"]
    assert " is outside of low " in reasons[2]
    assert {row.subject for row in fetched.checked.rejected} == {"BTCUSDT 1h"}
    assert len(rows_of(fetched, "ETHUSDT", "1h")) == 10


PASSING = [
    ("server_error", {}),
    ("truncated", {}),
    ("cut_json", {}),
    ("html", {}),
    ("dropped", {}),
    ("rate_limited", {"retry_after_s": 3}),
    ("body", {"text": '{"not": "a list"}'}),
]


@pytest.mark.parametrize(("kind", "details"), PASSING)
def test_a_passing_failure_is_tried_again(
    fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any]
) -> None:
    binance.fail(kind, times=1, path=KLINES, where={"symbol": "ETHUSDT", "interval": "4h"}, **details)
    binance.fail(kind, times=1, path="/time", **details)
    fetched = fetch()
    assert fetched.failed == {}
    assert rows_of(fetched, "ETHUSDT", "4h") == reference(binance, "ETHUSDT", "4h", limit=10)


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("server_error", {}, SourceUnavailable),
        ("truncated", {}, SourceMalformed),
        ("html", {}, SourceMalformed),
        ("dropped", {}, SourceUnavailable),
        ("region_blocked", {}, SourceBlocked),
        ("firewall", {}, SourceBlocked),
        ("rate_limited", {"retry_after_s": 90}, SourceRateLimited),
    ],
)
def test_one_series_that_fails_for_good_does_not_cost_the_others(
    *, fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any], error: type[SourceError]
) -> None:
    binance.fail(kind, times=None, path=KLINES, where={"symbol": "ETHUSDT", "interval": "1d"}, **details)
    fetched = fetch()
    assert {key: type(failure) for key, failure in fetched.failed.items()} == {("ETHUSDT", "1d"): error}
    assert len(series(fetched)) == 5


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        ("server_error", {}, SourceUnavailable),
        ("html", {}, SourceMalformed),
        ("body", {"text": '{"serverTime": "noon"}'}, SourceMalformed),
        ("body", {"text": f'{{"serverTime": {NOW_MS * 1000}}}', "path": "/time"}, SourceMalformed),
        ("body", {"text": "[]"}, SourceMalformed),
        ("region_blocked", {}, SourceBlocked),
        ("rate_limited", {"retry_after_s": 90}, SourceRateLimited),
    ],
)
def test_when_nothing_can_be_had_the_error_says_why(
    *, fetch: Fetch, binance: FakeBinance, kind: str, details: dict[str, Any], error: type[SourceError]
) -> None:
    binance.fail(kind, times=None, **details)
    with pytest.raises(error):
        fetch()


def test_an_outage_in_the_middle_ends_the_asking_early(fetch: Fetch, binance: FakeBinance) -> None:
    binance.fail("server_error", times=None, path=KLINES)
    with pytest.raises(SourceUnavailable):
        fetch(SYMBOLS="all:USDT")
    assert len(binance.requested(path=KLINES)) < 30 * 3 * 3 / 2  # of 90 series with 3 attempts each


def test_single_failures_here_and_there_are_no_outage(
    fetch: Fetch, binance: FakeBinance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datahub_assets.sources.binance.fetch.CONNECTIONS", 1)
    for symbol in list(binance.listings)[:28:4]:
        binance.fail("firewall", times=None, path=KLINES, where={"symbol": symbol})
    fetched = fetch(SYMBOLS="all:USDT", INTERVALS="1d")
    assert len(fetched.failed) == 7
    assert len(series(fetched)) == 23


def test_pages_before_a_failure_are_kept_and_the_next_fetch_goes_on_from_there(
    fetch: Fetch, binance: FakeBinance
) -> None:
    first = NEWEST_HOUR - 2499 * HOUR_MS
    asked = {"startTime": str(first + 2000 * HOUR_MS - HOUR_MS + 1)}
    binance.fail("server_error", times=3, path=KLINES, where=asked)
    binance.fail("region_blocked", times=None, path=KLINES, where={"symbol": "ETHUSDT"})
    with_hole = fetch(INTERVALS="1h", HISTORY_CANDLES="2500")
    assert with_hole.failed.keys() == {("BTCUSDT", "1h"), ("ETHUSDT", "1h")}
    kept = [row[0] for row in rows_of(with_hole, "BTCUSDT", "1h")]
    assert kept == list(range(first, first + 2000 * HOUR_MS, HOUR_MS))
    binance.recover()
    rest = fetch(last={("BTCUSDT", "1h"): kept[-1]}, INTERVALS="1h", HISTORY_CANDLES="2500")
    assert {*kept, *(row[0] for row in rows_of(rest, "BTCUSDT", "1h"))} == set(
        range(first, NEWEST_HOUR + HOUR_MS, HOUR_MS)
    )


class TestHosts:
    """Falling over to another host of the exchange."""

    @pytest.fixture
    def both(self, binance: FakeBinance, second_binance: FakeBinance) -> str:
        return f"{binance.url},{second_binance.url}"

    @pytest.mark.parametrize("kind", ["region_blocked", "firewall", "html", "server_error", "dropped", "truncated"])
    def test_a_host_that_gives_no_answer_is_left_for_the_next(
        self, *, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str, kind: str,
        caplog: pytest.LogCaptureFixture, sleep: VirtualSleep,
    ) -> None:  # fmt: skip
        binance.fail(kind, times=None)
        fetched = fetch(BINANCE_BASE_URLS=both)
        assert len(series(fetched)) == 6
        assert len(binance.requests) == 1
        assert len(second_binance.requests) == 7
        assert sleep.waits == []
        assert "asking Binance at 127.0.0.1:" in caplog.text

    def test_an_unreachable_host_is_left_for_the_next(
        self, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
    ) -> None:
        binance.stop()
        assert len(series(fetch(BINANCE_BASE_URLS=both))) == 6
        assert len(second_binance.requests) == 7

    def test_the_host_that_worked_is_asked_first_from_then_on(
        self, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
    ) -> None:
        binance.fail("region_blocked", times=None)
        fetch(BINANCE_BASE_URLS=both)
        fetch(BINANCE_BASE_URLS=both)
        assert len(binance.requests) == 1
        binance.recover()
        second_binance.fail("firewall", times=None)
        assert len(series(fetch(BINANCE_BASE_URLS=both))) == 6
        assert len(binance.requests) == 1 + 7

    def test_a_host_that_fails_half_way_is_left_for_the_next(
        self, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
    ) -> None:
        binance.fail("region_blocked", times=None, path=KLINES)
        fetched = fetch(BINANCE_BASE_URLS=both)
        assert len(series(fetched)) == 6
        assert fetched.failed == {}

    def test_all_hosts_are_named_when_none_answers(
        self, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str
    ) -> None:
        binance.fail("region_blocked", times=None)
        second_binance.fail("firewall", times=None)
        with pytest.raises(SourceBlocked, match=r"no Binance host .* 451: .*; .* 403: "):
            fetch(BINANCE_BASE_URLS=both)
        second_binance.stop()
        with pytest.raises(SourceUnavailable, match=r"451: .*cannot be reached"):
            fetch(BINANCE_BASE_URLS=both)

    @pytest.mark.parametrize("kind", ["rate_limited", "banned"])
    def test_a_ban_is_not_dodged_through_another_host(
        self, *, fetch: Fetch, binance: FakeBinance, second_binance: FakeBinance, both: str, kind: str
    ) -> None:
        details: dict[str, Any] = {"retry_after_s": 60} if kind == "rate_limited" else {"until_ms": NOW_MS + 60_000}
        binance.fail(kind, **details)
        with pytest.raises(SourceRateLimited):
            fetch(BINANCE_BASE_URLS=both)
        assert len(binance.requests) == 1
        assert second_binance.requests == []


class TestLimits:
    """Weight, 429 and bans."""

    def test_a_short_pause_is_waited_by_everybody(
        self, fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep
    ) -> None:
        binance.fail("rate_limited", path=KLINES, retry_after_s=3)
        fetched = fetch(SYMBOLS="all:USDT")
        assert fetched.failed == {}
        assert len(series(fetched)) == 90
        assert sum(sleep.waits) >= 3
        assert max(sleep.waits) <= 4

    def test_after_one_429_nobody_asks_before_its_time(
        self, binance: FakeBinance, sleep: VirtualSleep, clock: Clock
    ) -> None:
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
        self, fetch: Fetch, binance: FakeBinance, clock: Clock, with_header: bool
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

    def test_a_ban_in_the_middle_keeps_what_was_had_and_tells_until_when(
        self, fetch: Fetch, binance: FakeBinance
    ) -> None:
        until_ms = NOW_MS + 10 * MINUTE_MS
        binance.fail("banned", path=KLINES, where={"symbol": "ETHUSDT", "interval": "1d"}, until_ms=until_ms)
        fetched = fetch()
        assert fetched.pause_until_ms == until_ms
        assert fetched.failed.keys() >= {("ETHUSDT", "1d")}
        assert len(series(fetched)) == 6 - len(fetched.failed)

    def test_a_ban_of_an_earlier_process_is_kept(self, fetch: Fetch, binance: FakeBinance) -> None:
        with pytest.raises(SourceRateLimited) as caught:
            fetch(not_before_ms=NOW_MS + MINUTE_MS)
        assert caught.value.retry_after_s == 60
        assert binance.requests == []

    def test_a_limit_without_a_time_is_waited_to_the_end_of_the_minute(
        self, fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep
    ) -> None:
        binance.fail("rate_limited", path="/time", retry_after_s=None)
        assert len(series(fetch())) == 6
        (wait_s,) = sleep.waits
        assert 5 < wait_s < 7  # it is five seconds to the minute

    def test_near_the_limit_the_rest_waits_for_the_next_minute(
        self, fetch: Fetch, binance: FakeBinance, sleep: VirtualSleep, clock: Clock
    ) -> None:
        binance.set_weight_limit(limit=100)
        fetched = fetch(SYMBOLS="all:USDT")  # 90 series weigh 180: three minutes' worth of 90 % of 100
        assert len(series(fetched)) == 90
        assert fetched.failed == {}
        assert binance.banned_until_ms == 0
        assert {round(wait) for wait in sleep.waits} <= {6, 60}
        assert clock.now_ms() - NOW_MS > MINUTE_MS


class TestRanges:
    """Asking again for what is missing."""

    def test_a_range_is_answered_in_full(
        self, settings_of: SettingsOf, binance: FakeBinance, clock: Clock, backoff: Backoff
    ) -> None:
        start = NEWEST_HOUR - 3000 * HOUR_MS
        binance.gap("ETHUSDT", start_ms=start, end_ms=start + DAY_MS)
        hour = interval("1h")
        ranges = [
            Range("BTCUSDT", hour, start, start + 1500 * HOUR_MS),
            Range("ETHUSDT", hour, start, start + DAY_MS - 1),
            Range("NOPEUSDT", hour, start, start + DAY_MS - 1),
        ]
        fetched = fetch_ranges(settings_of(), ranges=ranges, clock=clock.now_ms, log=LOG, backoff=backoff)
        times = [row[0] for row in rows_of(fetched, "BTCUSDT", "1h")]
        assert times == list(range(start, start + 1501 * HOUR_MS, HOUR_MS))
        assert rows_of(fetched, "ETHUSDT", "1h") == []  # the exchange had none
        assert fetched.failed.keys() == {("NOPEUSDT", "1h")}

    def test_no_range_is_no_request_for_klines(
        self, settings_of: SettingsOf, binance: FakeBinance, clock: Clock, backoff: Backoff
    ) -> None:
        fetched = fetch_ranges(settings_of(), ranges=[], clock=clock.now_ms, log=LOG, backoff=backoff)
        assert fetched.checked.frame.is_empty()
        assert binance.requested(path=KLINES) == []


def test_an_upstream_that_ignores_the_query_is_not_asked_for_ever(fetch: Fetch, binance: FakeBinance) -> None:
    text = str(binance.reference("BTCUSDT", "1h", limit=1000)).replace("'", '"')
    binance.fail("body", times=None, path=KLINES, text=text)
    fetched = fetch(last={("BTCUSDT", "1h"): NEWEST_HOUR - 2000 * HOUR_MS}, INTERVALS="1h", SYMBOLS="BTCUSDT")
    assert fetched.checked.frame.height == 1000
    assert len(binance.requested(path=KLINES)) <= 2


def test_the_log_tells_what_was_fetched(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fetch()
    assert "fetched 60 candles of 6 series from Binance in 0." in caplog.text
    assert "(7 requests, weight 13 of 6000 used this minute)" in caplog.text


def test_many_series_are_asked_at_once_but_not_too_many(fetch: Fetch, binance: FakeBinance) -> None:
    binance.set_latency(seconds=0.2)
    fetch(SYMBOLS="all:USDT")
    assert 16 < binance.peak_in_flight <= 32
