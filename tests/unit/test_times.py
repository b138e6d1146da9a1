"""Times as people write them mean what they look like, or are refused with what they should have been."""

import pytest

from api.http.errors import InvalidParameter
from api.http.times import iso, parse_time


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
    assert iso(parse_time("start", written)) == read


@pytest.mark.parametrize("written", ["1764066600", "999999999"])
def test_seconds_are_told_from_milliseconds(written: str) -> None:
    with pytest.raises(InvalidParameter, match=f"looks like seconds, which are {written}000 here"):
        parse_time("start", written)


@pytest.mark.parametrize("written", ["", "20251340", "yesterday", "9" * 15, "1764066600.5"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(InvalidParameter, match="ISO 8601"):
        parse_time("start", written)
