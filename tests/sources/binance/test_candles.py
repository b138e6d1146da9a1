"""Which candles a fetch asks for and brings: all there are of each series, from the last one stored on."""

import json
import logging

import pytest

from datahub_assets.datasets.candles.client.pages import Range, with_rechecks
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.domain.errors import SourceRejected
from datahub_assets.domain.rechecks import Recheck
from datahub_assets.domain.times import HOUR_MS
from tests.fakes import Clock, FakeBinance
from tests.sources.binance.conftest import KLINES, NEWEST_HOUR, Fetch, reference, rows_of, series
from tests.sources.conftest import NOW_MS


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


def test_the_log_tells_what_was_fetched(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fetch()
    assert "fetched 60 candles of 6 series from Binance in 0." in caplog.text
    assert "(7 requests, weight 13 of 6000 used this minute)" in caplog.text


def test_many_series_are_asked_at_once_but_not_too_many(fetch: Fetch, binance: FakeBinance) -> None:
    binance.set_latency(seconds=0.2)
    fetch(SYMBOLS="all:USDT")
    assert 16 < binance.peak_in_flight <= 32


class Rechecks:
    """Ticks of some series, and what is remembered between them of those that were asked for again."""

    def __init__(self, fetch: Fetch, binance: FakeBinance, clock: Clock, *symbols: str, **settings: str) -> None:
        self.fetch, self.binance, self.clock = fetch, binance, clock
        own = {"SYMBOLS": ",".join(symbols), "INTERVALS": "1h,2h", "HISTORY_CANDLES": "1000"}
        self.settings = {**own, **settings}
        names = self.settings["INTERVALS"].split(",")
        self.last = {(symbol, name): NEWEST_HOUR for symbol in symbols for name in names}
        self.known: dict[tuple[str, ...], Recheck] = {}

    def tick(self, at_ms: int) -> dict[tuple[str, str], int]:
        """How many candles before its last stored one came of each series."""
        self.clock.stop(at_ms)
        self.binance.forget_requests()
        fetched = self.fetch(last=self.last, rechecks=self.known, **self.settings)
        for one in fetched.rechecked:
            told = self.known.get(one, Recheck(at_ms))
            self.known[one] = Recheck(at_ms, told.done_at if one in fetched.failed else at_ms)
        return {one: sum(row[0] < time for row in rows_of(fetched, *one)) for one, time in self.last.items()}


@pytest.mark.parametrize("case", [(60, 1000, 72), (300, 1000, 72), (3600, 1000, 72), (60, 20, 18)])
def test_once_an_hour_candles_that_may_have_been_corrected_are_asked_for_again(
    fetch: Fetch, binance: FakeBinance, clock: Clock, case: tuple[int, int, int]
) -> None:
    tick_s, history, back = case
    series = Rechecks(fetch, binance, clock, "BTCUSDT", "ETHUSDT", HISTORY_CANDLES=str(history), TICK_S=str(tick_s))
    ticks = []
    for tick in range(3600 // tick_s):
        ticks.append(series.tick(NEWEST_HOUR + tick * tick_s * 1000 + 500))
        assert len(binance.requested(path=KLINES)) == len(series.last), "no request more"
    for one in series.last:
        found = [tick[one] - 1 for tick in ticks]
        assert max(found) == back
        assert sum(count > 0 for count in found) == 1, "in one tick of the hour"
    assert max(sum(count > 1 for count in tick.values()) for tick in ticks) == -(-len(series.last) * tick_s // 3600)


def test_a_comparison_that_was_put_off_reaches_as_far_back_as_in_time(
    fetch: Fetch, binance: FakeBinance, clock: Clock
) -> None:
    """After a night all is asked that would have been, one series after the other; and only once."""
    series = Rechecks(fetch, binance, clock, "BTCUSDT", "ETHUSDT")
    for minute in range(4):
        series.tick(NEWEST_HOUR + minute * 60_000)
    morning = NEWEST_HOUR + 10 * HOUR_MS
    series.last = dict.fromkeys(series.last, morning)
    ticks = [series.tick(morning + minute * 60_000) for minute in range(6)]
    for one in series.last:
        assert sorted(tick[one] for tick in ticks)[-2:] == [1, 72 + 10 if one[1] == "1h" else 72 + 1 + 10 // 2]


def test_a_pair_the_exchange_does_not_know_keeps_no_other_from_its_turn(
    fetch: Fetch, binance: FakeBinance, clock: Clock
) -> None:
    series = Rechecks(fetch, binance, clock, "NOSUCHUSDT", "BTCUSDT", INTERVALS="1h")
    ticks = [series.tick(NEWEST_HOUR + minute * 60_000) for minute in range(3)]
    assert max(tick["BTCUSDT", "1h"] for tick in ticks) == 73


def test_comparisons_that_take_another_page_are_few_at_once() -> None:
    hour = interval("1h")
    ranges = [Range(f"P{number}USDT", hour, 1000 * HOUR_MS, 1010 * HOUR_MS) for number in range(150)]
    long_ago: dict[tuple[str, ...], Recheck] = {one.series: Recheck(0, 0) for one in ranges[:120]}
    turns = [one.series for one in ranges]
    extended = with_rechecks(ranges, turns, long_ago, history_candles=100_000)
    assert [one.pages for one in extended] == [2] * 100 + [1] * 50
    assert [one.is_recheck for one in extended] == [True] * 100 + [False] * 20 + [True] * 30
