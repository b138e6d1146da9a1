"""Which klines to ask for, page by page: from a series' last stored candle to the present."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from datahub_assets.datasets.candles.client.rest import MOST_KLINES, Binance
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.datasets.candles.spec import RECHECK_EVERY_MS, RECHECKED_CANDLES
from datahub_assets.domain.rechecks import Recheck

_MOST_EXTRA_PAGES: Final = 100
"""Of series that were not compared for long, at one time no more are than take so many pages more: a thirtieth of a
minute's request weight."""


@dataclass(frozen=True, slots=True)
class Range:
    """Candles to ask for: those that open within [start, end], times in epoch ms.

    Where there is no start, or nothing since it, the newest so many before the end instead, if `newest` is not 0: a
    delisted pair's last candles are years old. One that `is_recheck` begins earlier than it must, with candles that may
    have been corrected.
    """

    symbol: str
    interval: Interval
    start_ms: int | None
    end_ms: int
    newest: int = 0
    is_recheck: bool = False

    @property
    def series(self) -> tuple[str, str]:
        """The key of the series in cache and results."""
        return self.symbol, self.interval.name

    @property
    def pages(self) -> int:
        """How many answers it takes at most, if no candle is missing."""
        candles = self.newest if self.start_ms is None else (self.end_ms - self.start_ms) // self.interval.length_ms + 2
        return -(-candles // MOST_KLINES)


def to_present(
    symbol: str, interval: Interval, *, last_open_time: int | None, server_time_ms: int, history_candles: int
) -> Range:
    """What a series lacks: everything from its last stored candle on, or its first fill.

    Nothing is asked for that opens after `server_time_ms`, by which candles are told closed from forming: so a candle
    stored as forming is always the series' last one, and asked for again. The one before is asked for too, since trades
    may be booked to it in the moment after its close.
    """
    forming = interval.floor(server_time_ms)
    if last_open_time is not None:
        return Range(symbol, interval, min(last_open_time, forming) - interval.length_ms, server_time_ms)
    newest = min(history_candles, MOST_KLINES)
    start = None if history_candles == newest else forming - (history_candles - 1) * interval.length_ms
    return Range(symbol, interval, start, server_time_ms, newest)


def with_rechecks(
    ranges: Sequence[Range],
    turns: Sequence[tuple[str, ...]],
    known: Mapping[tuple[str, ...], Recheck],
    *,
    history_candles: int,
) -> list[Range]:
    """The ranges, those of the series whose turn it is begun earlier: the exchange corrects candles later, too.

    The answer is longer then, and costs as many requests and as much weight as always: but for a series that was not
    compared for many hours, and few of those are asked for at once.

    Args:
        turns: those whose turn it is, in order.
    """
    extended: dict[tuple[str, ...], Range] = {one.series: one for one in ranges}
    left = _MOST_EXTRA_PAGES
    for series in turns:
        earlier = _earlier(extended[series], known.get(series), history_candles=history_candles)
        extra = earlier.pages - extended[series].pages
        if extra <= max(left, 0) or left == _MOST_EXTRA_PAGES:
            extended[series] = earlier
            left -= extra
    return list(extended.values())


def _earlier(wanted: Range, told: Recheck | None, *, history_candles: int) -> Range:
    """The range from `RECHECKED_CANDLES` (72) earlier on, as far as the first fill reached.

    From where it would have begun an hour after the last comparison, if that is earlier: so what was put off does not
    leave candles out.
    """
    interval, start_ms = wanted.interval, wanted.start_ms
    if start_ms is None:
        return wanted
    in_time = start_ms
    if told is not None and told.done_at is not None:
        in_time = interval.floor(told.done_at + RECHECK_EVERY_MS) - interval.length_ms
    oldest = interval.floor(wanted.end_ms) - (history_candles - 1) * interval.length_ms
    earlier = max(min(start_ms, in_time) - RECHECKED_CANDLES * interval.length_ms, min(oldest, start_ms))
    return replace(wanted, start_ms=earlier, is_recheck=True)


async def pages(binance: Binance, wanted: Range) -> AsyncIterator[list[object]]:
    """The klines of a range, oldest first, in as few answers as it takes.

    Raises:
        SourceError: a page could not be fetched; the pages before it were given, without holes.
    """
    start_ms = wanted.start_ms
    if start_ms is None:
        yield await _newest(binance, wanted)
        return
    length_ms, reached_ms = wanted.interval.length_ms, start_ms - 1
    while start_ms <= wanted.end_ms:
        limit = min(MOST_KLINES, (wanted.end_ms - start_ms) // length_ms + 2)
        page = await binance.klines(
            wanted.symbol, wanted.interval, start_ms=start_ms, end_ms=wanted.end_ms, limit=limit
        )
        if not page and start_ms == wanted.start_ms and wanted.newest:
            yield await _newest(binance, wanted)
            return
        yield page
        newest_ms = _newest_open_time(page)
        if len(page) < limit or newest_ms is None or newest_ms <= reached_ms:
            return
        reached_ms, start_ms = newest_ms, newest_ms + 1


async def _newest(binance: Binance, wanted: Range) -> list[object]:
    return await binance.klines(
        wanted.symbol, wanted.interval, start_ms=None, end_ms=wanted.end_ms, limit=wanted.newest
    )


def _newest_open_time(page: Sequence[object]) -> int | None:
    """The open time of the last row that has one."""
    for row in reversed(page):
        if isinstance(row, list) and row and isinstance(row[0], int):
            return row[0]
    return None
