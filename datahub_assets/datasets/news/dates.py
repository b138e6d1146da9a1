"""Full dates with a zone, as RFC 822 (with years of four digits) or ISO 8601 writes them. Nothing is guessed."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField, shown
from datahub_assets.domain.times import epoch_ms

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HOURS: Final = {
    **dict.fromkeys(("gmt", "ut", "utc", "z"), 0),
    "edt": -4,
    "est": -5,
    "cdt": -5,
    "cst": -6,
    "mdt": -6,
    "mst": -7,
    "pdt": -7,
    "pst": -8,
}
"""The zones that RFC 822 names."""
_RFC_822: Final = re.compile(
    r"(?:[a-z]{3}, ?)?(?P<day>\d{1,2}) (?P<month>[a-z]{3}) (?P<year>\d{4}) (?P<hour>\d{2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2}))? (?:(?P<zone>[a-z]{1,3})|(?P<sign>[+-])(?P<hours>\d{2})(?P<minutes>\d{2}))",
    re.IGNORECASE | re.ASCII,
)


def moment_ms(name: str, value: object, *, now_ms: int) -> int:
    """A date that is there, full and plausible, epoch milliseconds."""
    text = " ".join(fields.name_of(name, value).split())
    rfc = _RFC_822.fullmatch(text)
    if rfc is None:
        return fields.stamp(name, text, now_ms=now_ms)
    found = epoch_ms(_rfc_822(name, text, rfc))
    return fields.plausible(name, found, latest_ms=now_ms + fields.AHEAD_LIMIT_MS)


def _rfc_822(name: str, text: str, parts: re.Match[str]) -> datetime:
    try:
        zone = UTC if parts["zone"] is None else timezone(timedelta(hours=_HOURS[parts["zone"].lower()]))
        if parts["zone"] is None:
            offset = timedelta(hours=int(parts["hours"]), minutes=int(parts["minutes"]))
            zone = timezone(-offset if parts["sign"] == "-" else offset)
        month = _MONTHS.index(parts["month"].lower()) + 1
        clock = (int(parts["hour"]), int(parts["minute"]), int(parts["second"] or 0))
        return datetime(int(parts["year"]), month, int(parts["day"]), *clock, tzinfo=zone)
    except (KeyError, ValueError):
        raise BadField(f"{name} is no date with a zone: {shown(text)}") from None
