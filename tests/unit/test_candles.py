"""Klines: which become candles, which are set aside and why, which are closed; and nothing breaks the check."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.fields import AHEAD_LIMIT_MS
from datahub_assets.domain.rows import Checked
from datahub_assets.domain.times import HOUR_MS

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy

OPEN_MS = 1_763_798_400_000  # 2025-11-22 08:00
NOW_MS = OPEN_MS + HOUR_MS // 2
FIELDS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trades", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip


def kline(**changes: Any) -> list[Any]:
    """A kline as the exchange sends it: times as numbers, the rest as text."""
    values = {
        "open_time": OPEN_MS,
        "open": "51690.95000000",
        "high": "52131.85000000",
        "low": "47500.00000000",
        "close": "51125.14000000",
        "volume": "132230.78071900",
        "close_time": OPEN_MS + HOUR_MS - 1,
        "quote_volume": "6571097317.46791836",
        "trades": 2888237,
        "taker_buy_volume": "63769.62125300",
        "taker_buy_quote_volume": "3170392794.05488430",
        "ignore": "0",
        **changes,
    }
    return [values[name] for name in FIELDS]


def check(*raw: object, server_time_ms: int = NOW_MS, now_ms: int = NOW_MS) -> Checked:
    return check_klines(raw, symbol="BTCUSDT", interval=interval("1h"), server_time_ms=server_time_ms, now_ms=now_ms)


def test_a_good_kline_becomes_a_row_of_the_spec() -> None:
    checked = check(kline())
    assert checked.rejected == ()
    assert dict(checked.frame.schema) == OHLC.polars_schema()
    (row,) = checked.frame.to_dicts()
    assert row == {
        "symbol": "BTCUSDT",
        "interval": "1h",
        "timestamp": datetime(2025, 11, 22, 8, tzinfo=UTC),
        "close_time": datetime(2025, 11, 22, 8, 59, 59, 999000, tzinfo=UTC),
        "open": 51690.95,
        "high": 52131.85,
        "low": 47500.0,
        "close": 51125.14,
        "volume": 132230.780719,
        "quote_volume": 6571097317.46791836,
        "trade_count": 2888237,
        "taker_buy_volume": 63769.621253,
        "taker_buy_quote_volume": 3170392794.0548843,
        "closed": False,
        "provider": "binance",
        "ingested_at": datetime.fromtimestamp(NOW_MS / 1000, UTC),
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"open": "NaN"}, "open is not a decimal number: 'NaN'"),
        ({"open": math.nan}, "open is not finite: nan"),
        ({"open": None}, "open is missing: None"),
        ({"open": ""}, "open is not a decimal number: ''"),
        ({"open": "5_1690"}, "open is not a decimal number: '5_1690'"),
        ({"open": " 51690 "}, "open is not a decimal number: ' 51690 '"),
        ({"open": True}, "open is not a number: True"),
        ({"low": "0.00000000"}, "low must be above 0: 0.0"),
        ({"low": "-1"}, "low must be above 0: -1.0"),
        ({"high": "9" * 400}, "high is not finite: inf"),
        ({"open": "52131.86"}, "open 52131.86 is outside of low 47500.0 and high 52131.85"),
        ({"close": "47499.99"}, "close 47499.99 is outside of low 47500.0 and high 52131.85"),
        ({"high": "47000", "low": "52000"}, "open 51690.95 is outside of low 52000.0 and high 47000.0"),
        ({"volume": "-0.1"}, "volume must not be negative: -0.1"),
        ({"quote_volume": None}, "quote_volume is missing: None"),
        ({"taker_buy_volume": []}, "taker_buy_volume is not a number: []"),
        ({"trades": 1.5}, "trade_count is not a whole number below 2^63: 1.5"),
        ({"trades": -1}, "trade_count must not be negative: -1"),
        ({"trades": 2**63}, "trade_count is not a whole number below 2^63: 9223372036854775808"),
        ({"open_time": None}, "open_time is not a time in whole milliseconds: None"),
        ({"open_time": "2025-11-22"}, "open_time is not a time in whole milliseconds: '2025-11-22'"),
        ({"open_time": float(OPEN_MS)}, f"open_time is not a time in whole milliseconds: {float(OPEN_MS)}"),
        ({"open_time": OPEN_MS * 1000}, f"open_time is too far ahead: {OPEN_MS * 1000}"),  # microseconds
        ({"open_time": OPEN_MS // 1000}, f"open_time is before 2009-01-03T00:00:00Z: {OPEN_MS // 1000}"),  # seconds
        ({"close_time": OPEN_MS - 1}, f"close_time {OPEN_MS - 1} is before open_time {OPEN_MS}"),
        ({"close_time": OPEN_MS * 1000}, f"close_time is too far ahead: {OPEN_MS * 1000}"),
        ({"close_time": None}, "close_time is not a time in whole milliseconds: None"),
    ],
)
def test_a_field_that_cannot_be_used_sets_the_row_aside_and_says_why(changes: dict[str, Any], reason: str) -> None:
    checked = check(kline(**changes))
    assert checked.frame.is_empty()
    (rejected,) = checked.rejected
    assert rejected.reason.startswith(reason)
    assert (rejected.dataset, rejected.subject) == ("ohlc", "BTCUSDT 1h")
    opened = changes.get("open_time", OPEN_MS)
    assert rejected.at_ms == (opened if type(opened) is int else None), "it knows whose place it would have taken"


NO_KLINES: tuple[object, ...] = (None, 5, "kline", {}, [], *([opened] * 12 for opened in (10**5000, 2**63, -1, True)))


@pytest.mark.parametrize(
    ("raw", "at_ms"),
    [
        *((raw, None) for raw in NO_KLINES),
        (kline()[:10], OPEN_MS),
    ],
)
def test_what_is_no_kline_is_set_aside(raw: object, at_ms: int | None) -> None:
    checked = check(raw)
    assert checked.frame.is_empty()
    assert [rejected.at_ms for rejected in checked.rejected] == [at_ms]


@pytest.mark.parametrize(
    "changes",
    [
        {"open_time": OPEN_MS - HOUR_MS + 1_694_789},  # off the grid after an outage
        {"close_time": OPEN_MS + 95_999},  # cut short by an outage
        {"close_time": OPEN_MS},
        {"volume": "0.00000000", "trades": 0, "open": "1", "high": "1", "low": "1", "close": "1"},
        {"volume": "92233720368547758080.5"},
        {"open": 51690.95, "volume": 7},
    ],
)
def test_odd_but_real_candles_are_kept_as_they_are(changes: dict[str, Any]) -> None:
    checked = check(kline(**changes))
    assert checked.rejected == ()
    (row,) = checked.frame.with_columns(pl.col("timestamp", "close_time").dt.epoch("ms")).to_dicts()
    assert row["timestamp"] == changes.get("open_time", OPEN_MS)
    assert row["close_time"] == changes.get("close_time", OPEN_MS + HOUR_MS - 1)


@pytest.mark.parametrize(("after_close_ms", "closed"), [(-1, False), (0, False), (1, True)])
def test_a_candle_is_closed_once_the_exchange_is_past_it(after_close_ms: int, closed: bool) -> None:
    close_ms = OPEN_MS + HOUR_MS - 1
    checked = check(kline(), server_time_ms=close_ms + after_close_ms)
    assert checked.frame["closed"].to_list() == [closed]


def test_a_wrong_clock_of_this_machine_closes_nothing() -> None:
    checked = check(kline(), now_ms=NOW_MS + 10 * HOUR_MS)
    assert checked.frame["closed"].to_list() == [False]


@pytest.mark.parametrize(("ahead_ms", "kept"), [(AHEAD_LIMIT_MS, 1), (AHEAD_LIMIT_MS + 1, 0)])
def test_five_minutes_ahead_is_the_limit(ahead_ms: int, kept: int) -> None:
    assert check(kline(), now_ms=OPEN_MS - ahead_ms).frame.height == kept


def test_of_captures_of_the_same_candle_the_later_counts() -> None:
    checked = check(kline(close="50000"), kline(close="50001"), kline(close="50002"))
    assert checked.frame["close"].to_list() == [50002.0]
    assert checked.rejected == ()


def test_a_closed_capture_beats_a_later_forming_one() -> None:
    cut_short = kline(close_time=OPEN_MS + 1000, close="50000")
    checked = check(cut_short, kline(close="50001"))
    assert checked.frame.select("close", "closed").rows() == [(50000.0, True)]


garbage = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=14,
)
odd = garbage | st.integers(OPEN_MS - 10 * HOUR_MS, OPEN_MS + 10 * HOUR_MS) | st.decimals().map(str)
mutated = st.dictionaries(st.sampled_from(FIELDS), odd, max_size=4).map(lambda changes: kline(**changes))


@unhurried
@given(st.lists(garbage | mutated, max_size=8))
def test_whatever_comes_no_row_is_lost_and_no_bad_one_gets_through(raw: list[object]) -> None:
    distinct = [[OPEN_MS - n * HOUR_MS, *one[1:]] if isinstance(one, list) else one for n, one in enumerate(raw)]
    checked = check(*distinct)
    assert checked.frame.height + len(checked.rejected) == len(raw)
    _assert_sound(checked.frame)


@unhurried
@given(st.lists(mutated, max_size=8))
def test_keys_are_unique_however_often_they_come(raw: list[object]) -> None:
    checked = check(*raw, *raw)
    assert checked.frame.select(OHLC.key).is_unique().all()
    assert checked.frame.height + len(checked.rejected) <= 2 * len(raw)
    _assert_sound(checked.frame)


def _assert_sound(frame: pl.DataFrame) -> None:
    assert dict(frame.schema) == OHLC.polars_schema()
    numbers = frame.select(pl.col(pl.Float64))
    assert numbers.null_count().sum_horizontal().item() == 0
    assert numbers.select(pl.all().is_finite().all()).row(0) == (True,) * numbers.width
    body = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    assert frame.filter((pl.col("low") <= 0) | (pl.col("high") < body[0]) | (pl.col("low") > body[1])).is_empty()
    assert frame.filter(pl.any_horizontal(pl.col("^.*volume$") < 0)).is_empty()
    assert frame.filter(pl.col("close_time") < pl.col("timestamp")).is_empty()
    assert frame.filter(pl.col("timestamp").dt.epoch("ms") > NOW_MS + AHEAD_LIMIT_MS).is_empty()
