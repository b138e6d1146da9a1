"""Which files the archive has of a pair, by the months and days it was traded; and the lines of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.fakes.candles import LENGTHS_MS, Kline, Listing, klines

ROOT = "data/spot/"
_KEY = re.compile(
    r"data/spot/(?P<kind>monthly|daily)/klines/(?P<symbol>[A-Z0-9]+)/(?P<interval>\w+)/"
    r"(?P=symbol)-(?P=interval)-(?P<year>\d{4})-(?P<month>\d{1,2})(?:-(?P<day>\d{2}))?\.zip"
)
_US_FROM = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileOf:
    """What a key stands for: the candles of one pair and interval that open within [start, end)."""

    symbol: str
    interval: str
    start: datetime
    end: datetime
    is_padded: bool

    @classmethod
    def parse(cls, key: str) -> "FileOf | None":
        """What the key says, None for one of no known form."""
        said = _KEY.fullmatch(key)
        if said is None or (said["kind"] == "daily") != (said["day"] is not None):
            return None
        start = datetime(int(said["year"]), int(said["month"]), int(said["day"] or 1), tzinfo=UTC)
        end = start + timedelta(days=1) if said["day"] else _next_month(start)
        return cls(said["symbol"], said["interval"], start, end, is_padded=len(said["month"]) == 2)

    @property
    def in_us(self) -> bool:
        """Whether its stamps count microseconds."""
        return self.start >= _US_FROM

    def rows(self, listing: Listing, *, now_ms: int) -> list[Kline]:
        """The candles, none where it is not over or the pair was not traded."""
        start_ms, end_ms = _ms(self.start), _ms(self.end)
        if end_ms > now_ms or self.interval not in LENGTHS_MS:
            return []
        return klines(
            listing, self.interval, start_ms=start_ms, end_ms=end_ms - 1, limit=10**6, now_ms=now_ms, moving=False
        )


def keys(symbol: str, listing: Listing, interval: str, *, kind: str, now_ms: int) -> Iterator[str]:
    """The keys of all files of a pair and interval, oldest first."""
    end = datetime.fromtimestamp(min(now_ms, listing.last_ms or now_ms) / 1000, UTC)
    first = datetime.fromtimestamp(listing.first_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = first.replace(day=1) if kind == "monthly" else first
    while start <= end:
        after = _next_month(start) if kind == "monthly" else start + timedelta(days=1)
        is_empty = any(begin <= _ms(start) and _ms(after) <= over for begin, over in listing.gaps)
        if _ms(after) <= now_ms and not is_empty:
            stamp = f"{start:%Y-%m}" if kind == "monthly" else f"{start:%Y-%m-%d}"
            yield f"{ROOT}{kind}/klines/{symbol}/{interval}/{symbol}-{interval}-{stamp}.zip"
        start = after


def printed(rows: list[Kline], *, in_us: bool) -> bytes:
    """Rows as the lines of a file."""
    if in_us:
        rows = [
            [int(str(r[0])) * 1000, *r[1:6], int(str(r[6])) * 1000 + 999, *r[7:]]
            for r in rows
        ]  # fmt: skip
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def _next_month(start: datetime) -> datetime:
    return (start.replace(day=1) + timedelta(days=32)).replace(day=1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
