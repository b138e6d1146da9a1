"""Which source is asked for what, what is believed, and what is said of rows that nobody has."""

import re
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from datahub_assets.datasets.candles.archive.known_faults import WRONG_MONTHLY
from datahub_assets.datasets.candles.archive.month_reader import _chance
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.domain.errors import SourceError, SourceUnavailable
from datahub_assets.domain.gaps import Cause
from datahub_assets.domain.history import Month, SeriesMonth, TimeRange, Verdict, months
from datahub_assets.domain.times import DAY_MS, HOUR_MS
from tests.datasets.candles.conftest import NOVEMBER, NOW_MS, Market, detail, kind_of, opened, rows_of, verdicts

MIDDLE_MS = NOVEMBER.start_ms + 10 * DAY_MS
FULL = [("monthly", Verdict.COMPLETE, 720)]


def listed(market: Market, base: str, *, first_ms: int, last_ms: int | None = None) -> str:
    """A pair of its own, since what is done to one stays."""
    market.exchange.list_pair(base=base, quote="USDT", first_ms=first_ms)
    if last_ms is not None:
        market.exchange.delist(f"{base}USDT", at_ms=last_ms)
    return f"{base}USDT"


def gaps(found: SeriesMonth) -> list[tuple[int, int, Cause]]:
    return [(one.first_time, one.last_time, one.cause) for one in found.gaps]


def of_day(day: int, month: Month, symbol: str = "BTCUSDT") -> str:
    return f"{symbol}-1h-{month}-{day:02}.zip"


# Wide candles


@pytest.mark.parametrize(("name", "rows"), [("4h", 180), ("1d", 30)])
def test_wide_candles_are_one_question_to_the_exchange(market: Market, name: str, rows: int) -> None:
    found = market.fetch(interval=name)
    assert verdicts(found) == [("rest", Verdict.COMPLETE, rows)]
    assert rows_of(found) == market.truth("BTCUSDT", name, NOVEMBER)
    assert (found.done, found.gaps, market.archive.requests) == (True, (), [])
    assert found.sources[0].url == (
        f"{market.exchange.url}/api/v3/klines?symbol=BTCUSDT&interval={name}"
        f"&startTime={NOVEMBER.start_ms}&endTime={NOVEMBER.end_ms - 1}"
    )


def test_where_the_exchange_has_no_wide_candles_nobody_else_is_asked(market: Market) -> None:
    found = market.fetch(interval="4h", month=Month(2017, 5))
    assert (verdicts(found), found.done, market.archive.requests) == ([("rest", Verdict.COMPLETE, 0)], True, [])


def test_the_archive_has_wide_candles_of_a_pair_the_exchange_forgot(market: Market) -> None:
    market.archive.forget_pair("ETHUSDT")
    found = market.fetch("ETHUSDT", "4h")
    assert verdicts(found) == [("rest", Verdict.NO_FILE, 0), ("monthly", Verdict.COMPLETE, 180)]
    assert "Invalid symbol" in detail(found, "rest")
    assert len(market.exchange.requested(path="klines")) == 1
    assert rows_of(found) == market.truth("ETHUSDT", "4h", NOVEMBER)
    assert found.done


# Two that say otherwise


def sampled(symbol: str = "BTCUSDT", *, is_sampled: bool) -> Month:
    return next(
        month
        for month in months(Month(2018, 1), Month(2024, 10))
        if (_chance(symbol, interval("1h"), month) == 0) is is_sampled and month not in WRONG_MONTHLY
    )


def test_about_one_month_in_twenty_is_compared_and_always_the_same() -> None:
    chances = [
        _chance(f"S{number}", interval("1m"), month)
        for number in range(50)
        for month in months(Month(2018, 1), Month(2023, 12))
    ]
    assert 0.04 < chances.count(0) / len(chances) < 0.06


def test_a_sampled_month_is_compared_with_one_day(market: Market) -> None:
    month = sampled(is_sampled=True)
    found = market.fetch(month=month)
    assert [(kind, verdict) for kind, verdict, _ in verdicts(found)] == [
        ("monthly", Verdict.COMPLETE),
        ("daily", Verdict.COMPLETE),
    ]
    assert [line.rows for line in found.sources] == [found.rows.height, 0]
    assert (found.done, found.corrections) == (True, None)


def test_a_monthly_file_that_disagrees_is_replaced_by_daily_ones(market: Market) -> None:
    month = sampled(is_sampled=True)
    market.archive.spoil(f"BTCUSDT-1h-{month}.zip", "disagrees", start_ms=month.start_ms, end_ms=month.end_ms)
    found = market.fetch(month=month)
    count = (month.end_ms - month.start_ms) // DAY_MS
    assert verdicts(found) == [("monthly", Verdict.DISAGREES, 0), *[("daily", Verdict.COMPLETE, 24)] * count]
    assert re.fullmatch(r"24 of 24 rows are others in http://\S+\.zip \(the first of \S+\)", detail(found))
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)
    assert found.corrections is not None
    assert found.corrections.height == 24 * count
    line = found.corrections.row(0, named=True)
    taken = found.rows.row(0, named=True)
    assert (line["dataset"], line["column"], line["corrected_at"]) == ("ohlc", "volume", taken["ingested_at"])
    assert float(line["new"]) == taken["volume"]
    assert float(line["old"]) == pytest.approx(2 * taken["volume"])
    assert '"symbol":"BTCUSDT","interval":"1h"' in line["key"]


def test_without_its_daily_file_a_sampled_day_is_compared_with_the_exchange(market: Market) -> None:
    month = sampled(is_sampled=True)
    market.archive.spoil(f"BTCUSDT-1h-{month}.zip", "disagrees", start_ms=month.start_ms, end_ms=month.end_ms)
    for day in range(1, 32):
        market.archive.remove(of_day(day, month))
    found = market.fetch(month=month)
    assert {kind_of(line) for line in found.sources if line.rows} == {"rest"}
    assert found.sources[0].verdict is Verdict.DISAGREES
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_source_without_rows_contradicts_nothing(market: Market, is_known: bool) -> None:
    symbol = listed(market, f"LONELY{is_known:d}", first_ms=Month(2018, 1).start_ms)
    month = sampled(symbol, is_sampled=True)
    for day in range(1, 32):
        market.archive.remove(of_day(day, month, symbol))
    before = market.fetch(symbol, "1h", month)
    if is_known:
        market.exchange.replay(symbol, "1h", rows=[])
    else:
        market.archive.forget_pair(symbol)
    found = market.fetch(symbol, "1h", month)
    assert verdicts(found) == [
        ("monthly", Verdict.COMPLETE, before.rows.height),
        ("daily", Verdict.NO_FILE, 0),
        ("rest", Verdict.COMPLETE if is_known else Verdict.NO_FILE, 0),
    ]
    assert rows_of(found) == rows_of(before) != []
    assert (found.done, found.corrections) == (True, None)


def test_a_daily_file_that_fills_a_hole_is_compared_too(market: Market) -> None:
    month = sampled(is_sampled=False)
    name = f"BTCUSDT-1h-{month}.zip"
    market.archive.spoil(name, "hole", start_ms=month.start_ms, end_ms=month.start_ms + HOUR_MS)
    market.archive.spoil(name, "disagrees", start_ms=month.start_ms, end_ms=month.start_ms + 2 * HOUR_MS)
    found = market.fetch(month=month)
    assert found.sources[0].verdict is Verdict.DISAGREES
    assert detail(found).startswith("1 of 23 rows are others in")
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)


@pytest.mark.parametrize("month", [Month(2020, 12), Month(2021, 9)])
def test_months_known_to_be_wrong_come_from_daily_files(market: Market, month: Month) -> None:
    found = market.fetch(month=month)
    assert [verdict for _, verdict, _ in verdicts(found)] == [
        Verdict.DISAGREES,
        *[Verdict.COMPLETE] * (len(found.sources) - 1),
    ]
    assert "binance-public-data/issues/475" in detail(found)
    assert market.archive.requested(path="/monthly/") == []
    assert rows_of(found) == market.truth("BTCUSDT", "1h", month)
    assert found.done


# Rows that are not there


def test_a_hole_the_exchange_has_too_is_its_own(market: Market) -> None:
    symbol = listed(market, "HOLE", first_ms=NOVEMBER.start_ms - 40 * DAY_MS)
    market.exchange.gap(symbol, start_ms=MIDDLE_MS, end_ms=MIDDLE_MS + 2 * DAY_MS)
    found = market.fetch(symbol)
    assert gaps(found) == [(MIDDLE_MS, MIDDLE_MS + 47 * HOUR_MS, Cause.EXCHANGE_HAD_NONE)]
    assert (found.gaps[0].asked_at, found.gaps[0].asks) == (NOW_MS, 1)
    assert found.done
    assert verdicts(found) == [("monthly", Verdict.COMPLETE, 672), ("rest", Verdict.COMPLETE, 0)]


@pytest.mark.parametrize("name", ["1h", "4h"])
def test_nobody_is_asked_twice_about_the_same_holes(market: Market, name: str) -> None:
    symbol = listed(market, f"HOLES{name.upper()}", first_ms=Month(2018, 1).start_ms)
    month = sampled(symbol, is_sampled=True)
    for day_ms in range(month.start_ms, month.end_ms, DAY_MS):
        market.exchange.gap(symbol, start_ms=day_ms + 4 * HOUR_MS, end_ms=day_ms + 8 * HOUR_MS)
    found = market.fetch(symbol, name, month)
    urls = [line.url for line in found.sources]
    assert len(set(urls)) == len(urls)
    assert [kind_of(line) for line in found.sources].count("rest") == 1
    assert {one.cause for one in found.gaps} == {Cause.EXCHANGE_HAD_NONE}
    assert len(found.gaps) == (month.end_ms - month.start_ms) // DAY_MS
    assert found.done


def test_a_hole_nobody_could_be_asked_about_is_not_asked_yet(market: Market) -> None:
    market.archive.spoil("BTCUSDT-1h-2024-11.zip", "hole", start_ms=MIDDLE_MS, end_ms=MIDDLE_MS + HOUR_MS)
    market.archive.remove(of_day(11, NOVEMBER))
    market.exchange.fail("server_error", times=None)
    found = market.fetch()
    assert gaps(found) == [(MIDDLE_MS, MIDDLE_MS, Cause.NOT_FETCHED)]
    assert (found.gaps[0].asked_at, found.gaps[0].asks, found.done) == (None, 0, False)
    assert verdicts(found) == [("monthly", Verdict.SHORT, 719)]
    assert found.undecided == (TimeRange(MIDDLE_MS, MIDDLE_MS + HOUR_MS - 1),)


def test_a_row_that_fails_its_check_everywhere_is_quarantined(market: Market) -> None:
    bad = {"column": 5, "value": "-1", "at": 4}
    market.archive.spoil("BTCUSDT-1h-2024-11.zip", "bad_row", **bad)
    market.archive.spoil(of_day(1, NOVEMBER), "bad_row", **bad)
    symbol = listed(market, "BROKEN", first_ms=NOVEMBER.start_ms - DAY_MS)
    row = market.exchange.reference("BTCUSDT", "1h", limit=1)[0]
    time = NOVEMBER.start_ms + 4 * HOUR_MS
    market.exchange.set_kline(symbol, "1h", open_time=time, kline=[time, *row[1:5], "-1", time + HOUR_MS - 1, *row[7:]])
    found = market.fetch(symbol)
    assert gaps(found) == [(time, time, Cause.QUARANTINED)]
    assert found.undecided == (TimeRange(time, time + HOUR_MS - 1),)
    assert [one.at_ms for one in found.rejected] == [time] * 3, "of the monthly file, the daily one and the exchange"
    assert found.done


def test_rows_off_the_grid_are_the_exchanges_if_it_says_so(market: Market) -> None:
    symbol = listed(market, "SHIFTED", first_ms=NOVEMBER.start_ms - DAY_MS)
    row = market.exchange.reference("BTCUSDT", "1h", limit=1)[0]
    time = MIDDLE_MS + 28 * 60_000
    moved = [time, *row[1:6], time + HOUR_MS - 1, *row[7:]]
    market.exchange.set_kline(symbol, "1h", open_time=MIDDLE_MS, kline=moved)
    found = market.fetch(symbol)
    assert verdicts(found) == [
        ("monthly", Verdict.SHORT, 719),
        ("daily", Verdict.SHORT, 0),
        ("rest", Verdict.COMPLETE, 1),
    ]
    assert time in found.rows["timestamp"].dt.epoch("ms").to_list()
    assert found.gaps == ()


@pytest.mark.parametrize("name", ["1h", "4h"])
def test_before_a_series_began_and_after_it_ended_nothing_is_missing(market: Market, name: str) -> None:
    first_ms, last_ms = NOVEMBER.start_ms + 5 * DAY_MS, NOVEMBER.next.start_ms + 5 * DAY_MS
    symbol = listed(market, f"BRIEF{name.upper()}", first_ms=first_ms, last_ms=last_ms - 1)
    for month in (NOVEMBER, NOVEMBER.next):
        found = market.fetch(symbol, name, month)
        assert (found.gaps, found.done) == ((), True)
        assert rows_of(found) == market.truth(symbol, name, month) != []
        assert {line.verdict for line in found.sources} == {Verdict.COMPLETE}
    for month in (Month(2024, 10), Month(2025, 1)):
        market.archive.forget_requests()
        found = market.fetch(symbol, name, month)
        assert (found.rows.height, found.gaps, found.done) == (0, (), True)
        assert market.archive.requests == [], "the list has said so"


def test_a_hole_at_the_edge_of_a_month_is_a_gap_where_the_series_goes_on(market: Market) -> None:
    symbol = listed(market, "EDGES", first_ms=NOVEMBER.start_ms - 3 * DAY_MS)
    market.exchange.gap(symbol, start_ms=NOVEMBER.start_ms, end_ms=NOVEMBER.start_ms + 3 * HOUR_MS)
    market.exchange.gap(symbol, start_ms=NOVEMBER.end_ms - HOUR_MS, end_ms=NOVEMBER.end_ms)
    found = market.fetch(symbol)
    assert gaps(found) == [
        (NOVEMBER.start_ms, NOVEMBER.start_ms + 2 * HOUR_MS, Cause.EXCHANGE_HAD_NONE),
        (NOVEMBER.end_ms - HOUR_MS, NOVEMBER.end_ms - HOUR_MS, Cause.EXCHANGE_HAD_NONE),
    ]
    assert found.done


# What cannot be asked


def test_a_monthly_file_that_is_late_may_still_come(market: Market) -> None:
    late = Month(2025, 10)
    market.archive.remove(f"BTCUSDT-1h-{late}.zip")
    market.exchange.clock.stop(late.end_ms + 3 * DAY_MS)
    try:
        found = market.fetch(month=late)
        assert found.sources[0].verdict is Verdict.NO_FILE
        assert (found.rows.height, found.gaps, found.done) == (744, (), False)
        market.exchange.clock.stop(late.end_ms + 15 * DAY_MS)
        assert market.fetch(month=late).done
    finally:
        market.exchange.clock.stop(NOW_MS)


@pytest.mark.parametrize("fault", ["server_error", "firewall", "dropped", "truncated", "slow_down"])
def test_an_archive_that_is_down_is_asked_again_later(market: Market, fault: str) -> None:
    if fault == "slow_down":
        market.archive.fail("body", times=None, text="slow down", status=429)
    else:
        market.archive.fail(fault, times=None)
    with pytest.raises(SourceError):
        market.fetch()
    assert market.exchange.requested(path="klines") == [], "a month of fine candles is more than REST is there for"
    market.archive.recover()
    assert verdicts(market.fetch()) == FULL


def test_one_failure_is_got_over(market: Market) -> None:
    market.archive.fail("server_error", times=2)
    market.archive.fail("truncated", times=1, path="CHECKSUM")
    assert verdicts(market.fetch()) == FULL


def test_an_archive_that_hangs_is_not_waited_for(market: Market) -> None:
    market.archive.fail("hanging", times=None)
    with (
        opened(market.exchange, market.archive, silence_timeout_s=0.1) as history,
        pytest.raises(SourceUnavailable, match="did not answer in time"),
    ):
        history.fetch(("BTCUSDT", "1h"), NOVEMBER)


def test_a_monthly_file_that_cannot_be_asked_for_is_asked_for_again(market: Market) -> None:
    market.archive.fail("server_error", times=None, path="/monthly/")
    found = market.fetch()
    assert (rows_of(found), found.done) == (market.truth("BTCUSDT", "1h", NOVEMBER), False)


def test_while_the_exchange_wants_a_pause_the_archive_is_asked_alone(market: Market) -> None:
    market.exchange.fail("rate_limited", times=1, path="klines", retry_after_s=500)
    with opened(market.exchange, market.archive) as other:
        for history in (market.history, other):
            found = history.fetch(("BTCUSDT", "4h"), NOVEMBER)
            assert (verdicts(found), found.done) == ([("monthly", Verdict.COMPLETE, 180)], False)
    assert len(market.exchange.requested(path="klines")) == 1


def test_a_month_that_is_not_over_is_refused(market: Market) -> None:
    with pytest.raises(ValueError, match="2025-11 is not over"):
        market.fetch(month=Month(2025, 11))


def test_threads_share_a_reader(market: Market) -> None:
    wanted = [(symbol, month) for symbol in ("BTCUSDT", "ETHUSDT") for month in months(Month(2024, 3), Month(2024, 6))]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda one: market.fetch(one[0], "1h", one[1]), wanted))
    assert [(one.series[0], one.month) for one in found] == wanted
    for one in found:
        assert rows_of(one) == market.truth(one.series[0], "1h", one.month)
        assert one.rows.select(pl.col("symbol").unique()).item() == one.series[0]
