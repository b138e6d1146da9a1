"""Times as callers write them: ISO 8601 or epoch milliseconds."""

import re
from typing import Final

from api.http.errors import InvalidParameter
from datahub_assets.domain.times import YEAR_1_MS, YEAR_9999_MS, iso_to_ms

_VALID: Final = "ISO 8601 such as 2025-11-25T10:30:00Z (UTC when it names no offset), or epoch milliseconds"
_EPOCH_MS: Final = re.compile(r"-?\d{1,15}")
_EPOCH_S: Final = re.compile(r"\d{9,10}")
"""1973 to 2286 in seconds; as milliseconds it would be a day of early 1970, long before any data."""
_DATE: Final = re.compile(r"(?:19|20|21)\d{6}")
_SPACED_OFFSET: Final = re.compile(r"(T\d\d:\d\d\S*) (\d\d:?\d\d)$")


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
    else:
        try:
            # A + that was not percent-encoded arrives as a space.
            at_ms = iso_to_ms(_SPACED_OFFSET.sub(r"\1+\2", value))
        except ValueError:
            raise InvalidParameter.of(name, value, valid=_VALID) from None
    if not YEAR_1_MS <= at_ms <= YEAR_9999_MS:
        raise InvalidParameter.of(name, value, valid=_VALID)
    return at_ms
