"""Candle intervals and their grid in time, in integer milliseconds since the epoch, UTC; no candle lives here."""

from dataclasses import dataclass
from typing import Final

from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A candle length that divides the day, so that every open time lies on a grid that starts at the epoch."""

    length_ms: int
    name: str

    def floor(self, time_ms: int) -> int:
        """Open time of the candle that covers `time_ms`."""
        return time_ms - time_ms % self.length_ms

    def close_time(self, open_time: int) -> int:
        """Last millisecond of the candle that opens at `open_time`, as Binance counts it."""
        return open_time + self.length_ms - 1

    def is_closed(self, close_time: int, *, now_ms: int) -> bool:
        """Whether a candle with this close time is final at `now_ms` (the exchange's clock)."""
        return close_time < now_ms


# Binance's fixed-length kline intervals up to a day (its 3d, 1w and 1M do not start on the epoch's grid).
_LENGTHS_MS: Final = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}

INTERVALS: Final[dict[str, Interval]] = {
    name: Interval(length_ms=length_ms, name=name) for name, length_ms in _LENGTHS_MS.items()
}


def interval(name: str) -> Interval:
    """Look an interval up by Binance's name for it.

    Raises:
        ValueError: the name is not one of `INTERVALS`; the message lists them.
    """
    try:
        return INTERVALS[name]
    except KeyError:
        raise ValueError(f"unknown interval {name!r}; valid: {', '.join(INTERVALS)}") from None
