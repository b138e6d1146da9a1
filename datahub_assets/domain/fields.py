"""Reading one field of an upstream row: its value, or the reason why it cannot be used.

Every reader raises `BadField` and nothing else, whatever it is given: upstream rows are somebody else's JSON.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import MINUTE_MS, epoch_ms, iso_short

AHEAD_LIMIT_MS: Final = 5 * MINUTE_MS
"""A row stamped further ahead of this machine's clock than this is not believed."""
EARLIEST_MS: Final = 1_230_940_800_000
"""2009-01-03, the first day of the oldest coin: an earlier time is a mistake, of unit perhaps."""
_INT64_LIMIT: Final = 2**63
_SHOWN_LIMIT: Final = 80
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")

T = TypeVar("T")
Number = Callable[[str, object], float | None]
"""A reader of a nullable number: `signed`, `not_negative` or `positive`."""


class BadField(ValueError):
    """A field that cannot be used; the message names it and its value."""


def there(name: str, value: T | None) -> T:
    """What another reader gave, unless it is None: `there("id", count("id", value))`."""
    if value is None:
        raise BadField(f"{name} is missing: None")
    return value


def text(name: str, value: object) -> str | None:
    """A text or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadField(f"{name} is not a text: {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadField(f"{name} is not valid Unicode: {shown(value)}") from None
    return value


def name_of(name: str, value: object) -> str:
    """A text that names something: there, and not blank."""
    found = text(name, value)
    if found is None or not found.strip():
        raise BadField(f"{name} is missing: {shown(value)}")
    return found


def texts(name: str, value: object) -> list[str] | None:
    """A list of texts, or None."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadField(f"{name} is not a list: {shown(value)}")
    return [there(name, text(name, one)) for one in value]


def flag(name: str, value: object) -> bool | None:
    """True, False or None."""
    if value is None or isinstance(value, bool):
        return value
    raise BadField(f"{name} is neither true nor false: {shown(value)}")


def signed(name: str, value: object) -> float | None:
    """A finite number or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadField(f"{name} is not a number: {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadField(f"{name} is not finite: {shown(value)}")
    return number


def not_negative(name: str, value: object) -> float | None:
    """A finite number of 0 or more, or None."""
    number = signed(name, value)
    if number is not None and number < 0:
        raise BadField(f"{name} must not be negative: {shown(value)}")
    return number


def positive(name: str, value: object) -> float | None:
    """A finite number above 0, or None."""
    number = signed(name, value)
    if number is not None and number <= 0:
        raise BadField(f"{name} must be above 0: {shown(value)}")
    return number


def decimal(name: str, value: object, *, check: Number) -> float:
    """A number that is there, as a number or as decimal text (the way exchanges keep their digits)."""
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise BadField(f"{name} is not a decimal number: {shown(value)}")
        value = float(value)
    number = check(name, value)
    if number is None:
        raise BadField(f"{name} is missing: None")
    return number


def count(name: str, value: object) -> int | None:
    """A whole number from 0 on that fits 64 bits, or None; `12.0` counts as whole."""
    number = not_negative(name, value)
    if number is None:
        return None
    if not number.is_integer() or number >= _INT64_LIMIT:
        raise BadField(f"{name} is not a whole number below 2^63: {shown(value)}")
    return value if isinstance(value, int) else int(number)


def time_ms(name: str, value: object) -> int:
    """A time in whole epoch milliseconds that is there."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadField(f"{name} is not a time in whole milliseconds: {shown(value)}")
    return value


def iso_time_ms(name: str, value: object) -> int | None:
    """An ISO 8601 time with its zone (`2022-02-23T11:23:11.426Z`) as epoch milliseconds, or None."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadField(f"{name} is not an ISO time with its zone: {shown(value)}")
    return epoch_ms(moment)


def stamp(name: str, value: object, *, now_ms: int, earliest_ms: int = EARLIEST_MS) -> int:
    """The time of a row, epoch milliseconds: an ISO 8601 time with its zone, there, and plausible at `now_ms`.

    Rows of things older than coins name their own `earliest_ms`.
    """
    time_ms = there(name, iso_time_ms(name, value))
    return plausible(name, time_ms, latest_ms=now_ms + AHEAD_LIMIT_MS, earliest_ms=earliest_ms)


def plausible(name: str, value_ms: int, *, latest_ms: int, earliest_ms: int = EARLIEST_MS) -> int:
    """The time, if it lies from `earliest_ms` to `latest_ms`; one in microseconds lies far ahead, so it fails."""
    if value_ms > latest_ms:
        raise BadField(f"{name} is too far ahead: {shown(value_ms)}, where {latest_ms} is the latest believed")
    if value_ms < earliest_ms:
        raise BadField(f"{name} is before {iso_short(earliest_ms)}: {shown(value_ms)}")
    return value_ms


def rejected(spec: TableSpec, *, subject: object, reason: BadField, raw: object, at_ms: int | None = None) -> Rejected:
    """The row set aside: whom it was about and of what time, as far as it says so, why, and what upstream sent."""
    named = subject if isinstance(subject, str) and subject.strip() else "?"
    whom = named[:_SHOWN_LIMIT].encode(errors="replace").decode()
    try:
        return Rejected.of(spec, subject=whom, reason=str(reason), raw=raw, at_ms=at_ms)
    except (ValueError, TypeError, RecursionError):  # no JSON decoder gives what json cannot write again
        return Rejected(dataset=spec.name, subject=whom, reason=str(reason), raw=json.dumps(shown(raw)), at_ms=at_ms)


def shown(value: object) -> str:
    """The value as messages show it: like `repr`, but short, and never raising."""
    try:
        full = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits; a bottomless list
        full = f"<{type(value).__name__}>"
    return full if len(full) <= _SHOWN_LIMIT else full[: _SHOWN_LIMIT - 1] + "…"
