"""Times as people write them mean what they look like, or are refused with what they should have been."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from api.http.errors import InvalidParameter
from api.http.reading import parse_time
from datahub_assets.domain.times import (
    YEAR_1_MS,
    YEAR_9999_MS,
    epoch_ms,
    iso,
    iso_short,
    iso_to_ms,
    readable,
    utc_datetime,
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", "1970-01-01T00:00:00Z"),
        ("1764066600000", "2025-11-25T10:30:00Z"),
        ("-1", "1969-12-31T23:59:59.999Z"),
        ("20251125", "2025-11-25T00:00:00Z"),
        ("20251125T103000Z", "2025-11-25T10:30:00Z"),
        ("2025-11-25", "2025-11-25T00:00:00Z"),
        ("2025-11-25T10:30:00 01:00", "2025-11-25T09:30:00Z"),
    ],
)
def test_a_time_means_what_it_looks_like(written: str, read: str) -> None:
    assert iso_short(parse_time("start", written)) == read


@pytest.mark.parametrize("written", ["1764066600", "999999999"])
def test_seconds_are_told_from_milliseconds(written: str) -> None:
    with pytest.raises(InvalidParameter, match=f"looks like seconds, which are {written}000 here"):
        parse_time("start", written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "20251340",
        "yesterday",
        "9" * 15,
        "1764066600.5",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        str(YEAR_1_MS - 1),
        str(YEAR_9999_MS + 1),
    ],
)
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(InvalidParameter, match="ISO 8601"):
        parse_time("start", written)


@pytest.mark.parametrize(
    ("time_ms", "full", "short"),
    [
        (0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z"),
        (1_764_066_600_000, "2025-11-25T10:30:00.000Z", "2025-11-25T10:30:00Z"),
        (1_764_066_600_007, "2025-11-25T10:30:00.007Z", "2025-11-25T10:30:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        (YEAR_1_MS, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00Z"),
        (YEAR_9999_MS, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_written_time_can_be_read_again(time_ms: int, full: str, short: str) -> None:
    assert (iso(time_ms), iso_short(time_ms)) == (full, short)
    assert iso_to_ms(full) == iso_to_ms(short) == epoch_ms(utc_datetime(time_ms)) == time_ms


def test_no_time_is_written_as_none() -> None:
    assert iso(None) is None
    assert iso_short(None) is None


def test_messages_show_seconds() -> None:
    assert readable(1_764_066_600_999) == "2025-11-25 10:30:00 UTC"


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize(
    ("written", "offset_ms"), [("", 0), ("Z", 0), ("+00:00", 0), ("-03:30", -12_600_000), ("+09:00", 32_400_000)]
)
def test_a_time_without_an_offset_is_utc_wherever_the_machine_is(written: str, offset_ms: int) -> None:
    text = f"2025-11-25T10:30:00.001999{written}"
    expected = 1_764_066_600_001 - offset_ms
    assert iso_to_ms(text) == epoch_ms(datetime.fromisoformat(text)) == expected
    assert parse_time("start", text) == expected
