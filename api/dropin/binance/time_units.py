"""Milliseconds and microseconds, as Binance's API has them ("General API Information" in its REST documentation).

Answers are in milliseconds, and in microseconds where the header `X-MBX-TIME-UNIT` asks for it. Parameters may be in
either: what would lie beyond the year 5138 as milliseconds is microseconds.
"""

from typing import Annotated, Final

import msgspec
from litestar.params import HeaderParameter

from api.dropin.binance.errors import invalid
from api.http.context import TIME_UNIT_HEADER

_MICROS: Final = 1000
_LEAST_MICROSECONDS: Final = 10**14
_MICROSECONDS_OF: Final = {"MILLISECOND": False, "MICROSECOND": True}


class TimeUnit(msgspec.Struct, frozen=True):
    """The unit an answer's times are in."""

    microseconds: bool = False

    def of_ms(self, time_ms: int) -> int:
        """Epoch milliseconds in this unit."""
        return time_ms * _MICROS if self.microseconds else time_ms

    def end_of_ms(self, time_ms: int) -> int:
        """The last instant of an epoch millisecond in this unit, as the close time of a candle is."""
        return time_ms * _MICROS + _MICROS - 1 if self.microseconds else time_ms


def ask_time_unit(
    *,
    named: Annotated[
        str | None,
        HeaderParameter(name=TIME_UNIT_HEADER, description="`MICROSECOND`: times of the answer are in that unit"),
    ] = None,
) -> TimeUnit:
    """The unit a caller asks for.

    Raises:
        BinanceRefusal: there is no such unit.
    """
    try:
        return TimeUnit(_MICROSECONDS_OF[(named or "MILLISECOND").upper()])
    except KeyError:
        raise invalid(TIME_UNIT_HEADER, why=f"Valid are {' and '.join(_MICROSECONDS_OF)}.") from None


def first_ms(time: int) -> int:
    """The first whole epoch millisecond at a time or after it."""
    return -(-time // _MICROS) if time >= _LEAST_MICROSECONDS else time


def last_ms(time: int) -> int:
    """The last whole epoch millisecond at a time or before it."""
    return time // _MICROS if time >= _LEAST_MICROSECONDS else time
