"""The questions every contestant is asked, and seeded lists of them that never repeat; how each asks is its own."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from typing import Final, TypeVar

from benchmarks.made.candles import INTERVALS, NOW_MS, SYMBOLS, age_days, symbol_name
from datahub_assets.domain.times import DAY_MS, HOUR_MS

COLUMNS: Final = ("symbol", "interval", "timestamp", "open", "high", "low", "close", "volume", "provider", "closed")
"""What a candle of the API's answer holds; every contestant sends exactly these."""
BULK_ROWS: Final = 50_000

_YEAR_DAYS: Final = 365
_NOTHING: Final = 1e-9
_BULK_SYMBOLS: Final = 8
_Question = TypeVar("_Question")


class Format(StrEnum):
    """Formats of a bulk answer."""

    ARROW = "arrow"
    PARQUET = "parquet"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest `limit` candles of one series."""

    symbol: str
    interval: str
    limit: int


@dataclass(frozen=True, slots=True)
class Daily:
    """Open, high, low, close and volume per UTC day of one symbol's hourly candles in [start, end), in SQL.

    Hours of less volume than `least_volume` are left out: so little that there are none, but no two questions alike.
    """

    symbol: str
    start_ms: int
    end_ms: int
    least_volume: float


@dataclass(frozen=True, slots=True)
class Bulk:
    """Hourly candles of several symbols in [start, end), all columns of `COLUMNS`, in one format."""

    symbols: tuple[str, ...]
    start_ms: int
    end_ms: int
    format: Format


HOT: Final = Newest(symbol_name(7), "1h", 500)


def cold(count: int, *, seed: int) -> list[Newest]:
    """`count` questions, no two alike: any symbol, any interval, 100 to 900 candles (500 on average)."""
    limits = range(100, 901)
    combinations = SYMBOLS * len(INTERVALS) * len(limits)
    picked = random.Random(seed).sample(range(combinations), count)  # noqa: S311 - a shuffle, not a secret
    questions = []
    for number in picked:
        rest, limit = divmod(number, len(limits))
        symbol, interval = divmod(rest, len(INTERVALS))
        questions.append(Newest(symbol_name(symbol), INTERVALS[interval], limits[limit]))
    return questions


def daily(count: int, *, seed: int) -> list[Daily]:
    """`count` different questions over 365 whole days: the symbols that are old enough, any first day."""
    today = NOW_MS - NOW_MS % DAY_MS
    years = [
        (symbol_name(index), today - (back + _YEAR_DAYS) * DAY_MS, today - back * DAY_MS)
        for index in range(SYMBOLS)
        for back in range(max(age_days(index, symbols=SYMBOLS) - _YEAR_DAYS + 1, 0))
    ]
    shuffled = cycle(_sampled(years, len(years), seed=seed))
    return [Daily(*next(shuffled), least_volume=(number + 1) * _NOTHING) for number in range(count)]


def bulk(count: int, *, seed: int, answer_format: Format) -> list[Bulk]:
    """`count` different questions of exactly 50,000 rows: eight neighbouring symbols, 6,250 hours each."""
    hours = BULK_ROWS // _BULK_SYMBOLS
    last = NOW_MS - NOW_MS % HOUR_MS
    every = []
    for first in range(SYMBOLS // 4):
        oldest = last - (age_days(first + _BULK_SYMBOLS, symbols=SYMBOLS) - 1) * DAY_MS
        starts = range(oldest, last - hours * HOUR_MS, HOUR_MS)
        symbols = tuple(symbol_name(first + i) for i in range(_BULK_SYMBOLS))
        every += [Bulk(symbols, start, start + hours * HOUR_MS, answer_format) for start in starts]
    return _sampled(every, count, seed=seed)


def _sampled(every: Sequence[_Question], count: int, *, seed: int) -> list[_Question]:
    return random.Random(seed).sample(every, count)  # noqa: S311 - a shuffle, not a secret
