"""The grid of candles in time."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datahub_assets.datasets.candles.intervals import INTERVALS, Interval, interval
from datahub_assets.domain.times import DAY_MS, HOUR_MS

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("name", "opened", "following"),
    [
        ("1m", "2025-11-22T08:26", "2025-11-22T08:27"),
        ("1h", "2025-11-22T08:00", "2025-11-22T09:00"),
        ("4h", "2025-11-22T08:00", "2025-11-22T12:00"),
        ("12h", "2025-11-22T00:00", "2025-11-22T12:00"),
        ("1d", "2025-11-22T00:00", "2025-11-23T00:00"),
    ],
)
def test_the_candle_that_covers_an_instant(name: str, opened: str, following: str) -> None:
    assert interval(name).floor(at("2025-11-22T08:26:40")) == at(opened)
    assert interval(name).close_time(at(opened)) == at(following) - 1


@unhurried
@given(st.sampled_from(list(INTERVALS.values())), st.integers(0, 4_000_000_000_000))
def test_candles_tile_time(of: Interval, instant: int) -> None:
    opened = of.floor(instant)
    assert opened <= instant <= of.close_time(opened)
    following = of.close_time(opened) + 1
    assert of.floor(following) == following
    assert of.floor(opened) == opened
    assert DAY_MS % of.length_ms == 0


def test_a_candle_is_closed_after_its_last_millisecond() -> None:
    hour = interval("1h")
    assert not hour.is_closed(HOUR_MS - 1, now_ms=HOUR_MS - 1)
    assert hour.is_closed(HOUR_MS - 1, now_ms=HOUR_MS)


def test_an_unknown_interval_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown interval '1w'; valid: 1m, .*1d"):
        interval("1w")
