"""Units of time in milliseconds, and times as epoch milliseconds, `datetime` and text. All are UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, overload

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
YEAR_1_MS: Final = -62_135_596_800_000
"""The first millisecond a `datetime` can hold."""
YEAR_9999_MS: Final = 253_402_300_799_999
"""The last millisecond a `datetime` can hold."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def utc_datetime(time_ms: int) -> datetime:
    """Epoch milliseconds as a `datetime`; exact, where division by 1000 would round."""
    return EPOCH + time_ms * MILLISECOND


def epoch_ms(time: datetime) -> int:
    """The epoch millisecond a time lies in; one without an offset is UTC."""
    return (time.replace(tzinfo=time.tzinfo or UTC) - EPOCH) // MILLISECOND


_LEAP_SECOND: Final = re.compile(r"(?<=[0-9]{2}:[0-5][0-9]:)60(?![0-9])|(?<=T[0-9]{2}[0-5][0-9])60(?![0-9])")
_MIDNIGHT_AFTER: Final = re.compile(r"(?<=[T ])24(?=(?::?00(?::?00(?:[.,]0+)?)?)?(?:Z|[+-][0-9:]+)?$)")
"""The hour 24, which ISO 8601 allows at the very end of a day."""


def iso_to_ms(text: str) -> int:
    """The epoch millisecond an ISO 8601 time lies in; one without an offset is UTC.

    Letters may be small, as RFC 3339 allows (5.6); a leap second 60 is the second after 59, as POSIX counts; and hour
    24 is the next day's beginning, as ISO 8601 has it.

    Raises:
        ValueError: it is no such time.
    """
    text = text.upper()
    plain, leap_seconds = _LEAP_SECOND.subn("59", text)
    plain, ended_days = _MIDNIGHT_AFTER.subn("00", plain)
    return epoch_ms(datetime.fromisoformat(plain)) + leap_seconds * SECOND_MS + ended_days * DAY_MS


@overload
def iso(time_ms: int) -> str: ...
@overload
def iso(time_ms: None) -> None: ...
def iso(time_ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601, always with the milliseconds: `2025-11-25T10:30:00.000Z`."""
    return None if time_ms is None else _iso(time_ms, "milliseconds")


@overload
def iso_short(time_ms: int) -> str: ...
@overload
def iso_short(time_ms: None) -> None: ...
def iso_short(time_ms: int | None) -> str | None:
    """Epoch milliseconds as ISO 8601, with milliseconds only where there are some: `2025-11-25T10:30:00Z`."""
    if time_ms is None:
        return None
    return _iso(time_ms, "milliseconds" if time_ms % SECOND_MS else "seconds")


def datetime_iso(time: datetime | None) -> str | None:
    """A `datetime` as `iso` writes it."""
    return None if time is None else iso(epoch_ms(time))


def readable(time_ms: int) -> str:
    """Epoch milliseconds as messages show them, to the second: `2025-11-25 10:30:00 UTC`."""
    return f"{utc_datetime(time_ms):%Y-%m-%d %H:%M:%S} UTC"


def _iso(time_ms: int, precision: str) -> str:
    return utc_datetime(time_ms).isoformat(timespec=precision).replace("+00:00", "Z")
