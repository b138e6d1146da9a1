"""Which klines to ask for, page by page: from a series' last stored candle to the present."""

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from datahub_assets.datasets.candles.client.rest import MOST_KLINES, Binance
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.datasets.candles.spec import RECHECKED_CANDLES
from datahub_assets.domain.times import HOUR_MS


@dataclass(frozen=True, slots=True)
class Range:
    """Candles to ask for: those that open within [start, end], times in epoch ms.

    Where there is no start, or nothing since it, the newest so many before the end instead, if `newest` is not 0: a
    delisted pair's last candles are years old.
    """

    symbol: str
    interval: Interval
    start_ms: int | None
    end_ms: int
    newest: int = 0

    @property
    def series(self) -> tuple[str, str]:
        """The key of the series in cache and results."""
        return self.symbol, self.interval.name


def to_present(
    symbol: str,
    interval: Interval,
    *,
    last_open_time: int | None,
    server_time_ms: int,
    history_candles: int,
    tick_s: int = 60,
) -> Range:
    """What a series lacks: everything from its last stored candle on, or its first fill.

    Nothing is asked for that opens after `server_time_ms`, by which candles are told closed from forming: so a candle
    stored as forming is always the series' last one, and asked for again. The one before is asked for too, since trades
    may be booked to it in the moment after its close. And about once an hour the `RECHECKED_CANDLES` (72) before it
    are, as far as the first fill reached: the exchange corrects candles later, too. The answer is longer then, and
    costs as many requests and as much weight as always.
    """
    forming = interval.floor(server_time_ms)
    if last_open_time is not None:
        start_ms = min(last_open_time, forming) - interval.length_ms
        if _is_recheck_due(symbol, interval, now_ms=server_time_ms, tick_s=tick_s):
            start_ms = _earlier(start_ms, interval, forming=forming, history_candles=history_candles)
        return Range(symbol, interval, start_ms, server_time_ms)
    newest = min(history_candles, MOST_KLINES)
    start = None if history_candles == newest else forming - (history_candles - 1) * interval.length_ms
    return Range(symbol, interval, start, server_time_ms, newest)


def _is_recheck_due(symbol: str, interval: Interval, *, now_ms: int, tick_s: int) -> bool:
    """Whether it is this series' turn: once in the ticks of an hour, each series at another of them."""
    ticks = max(1, HOUR_MS // (1000 * tick_s))
    turn = zlib.crc32(f"{symbol} {interval.name}".encode()) % ticks
    return now_ms // (1000 * tick_s) % ticks == turn


def _earlier(start_ms: int, interval: Interval, *, forming: int, history_candles: int) -> int:
    """The start for a comparison, unless a page would not hold it."""
    oldest = forming - (history_candles - 1) * interval.length_ms
    earlier = max(start_ms - RECHECKED_CANDLES * interval.length_ms, min(oldest, start_ms))
    return earlier if (forming - earlier) // interval.length_ms + 2 <= MOST_KLINES else start_ms


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
