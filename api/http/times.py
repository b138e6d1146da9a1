"""Times as callers write and read them: ISO 8601 or epoch milliseconds in, ISO 8601 with Z out."""

import re
from datetime import UTC, datetime
from typing import Final

from api.http.errors import InvalidParameter

_VALID: Final = "ISO 8601 such as 2025-11-25T10:30:00Z (UTC when it names no offset), or epoch milliseconds"
_EPOCH_MS: Final = re.compile(r"-?\d{1,15}")
_EPOCH_S: Final = re.compile(r"\d{9,10}")
"""1973 to 2286 in seconds; as milliseconds it would be a day of early 1970, long before any data."""
_DATE: Final = re.compile(r"(?:19|20|21)\d{6}")
_SPACED_OFFSET: Final = re.compile(r"(T\d\d:\d\d\S*) (\d\d:?\d\d)$")
_EARLIEST_MS: Final = -62_135_596_800_000
_LATEST_MS: Final = 253_402_300_799_999


def parse_time(name: str, value: str | None) -> int | None:
    """Epoch milliseconds of a time parameter, None when it is not given.

    Raises:
        InvalidParameter: it is neither form, or outside the years 1 to 9999, or looks like epoch seconds.
    """
    if value is None:
        return None
    if _EPOCH_S.fullmatch(value):
        raise InvalidParameter.of(name, value, valid=f"{_VALID}; this looks like seconds, which are {value}000 here")
    if _EPOCH_MS.fullmatch(value) and not _DATE.fullmatch(value):
        at_ms = int(value)
        if not _EARLIEST_MS <= at_ms <= _LATEST_MS:
            raise InvalidParameter.of(name, value, valid=_VALID)
        return at_ms
    try:
        # A + that was not percent-encoded arrives as a space.
        at = datetime.fromisoformat(_SPACED_OFFSET.sub(r"\1+\2", value))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameter.of(name, value, valid=_VALID) from None
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def iso(at_ms: int | None) -> str | None:
    """Epoch milliseconds as `2025-11-25T10:30:00Z`, with milliseconds only where there are some."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{at}Z"
