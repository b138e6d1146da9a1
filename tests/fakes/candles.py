"""The candles of one fake exchange: walks cut into klines, with gaps, trades, odd rows and delistings. No HTTP here.

Candles longer than an hour are made of the hourly ones, so the numbers of all intervals agree.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tests.fakes.walk import SCALE, Units, Walk, walk

HOUR_MS: Final = 3_600_000
FIRST_MS: Final = 1_502_928_000_000
"""2017-08-17, the exchange's first day: no candle is older."""
LENGTHS_MS: Final = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": HOUR_MS, "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS, "6h": 6 * HOUR_MS, "8h": 8 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": 24 * HOUR_MS,
}  # fmt: skip

RULES: Final[dict[str, dict[str, object]]] = {
    "PRICE_FILTER": {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
    "LOT_SIZE": {"minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    "NOTIONAL": {"minNotional": "5.00000000", "applyMinToMarket": True},
}
"""A pair's rules for orders, as exchangeInfo lists them under `filters`."""

Kline = list[object]
"""Twelve elements as the exchange answers: times in ms, prices and volumes as text, the number of trades."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade somebody made by command: time in ms, price and volume in `1 / SCALE`."""

    time_ms: int
    price: int
    volume: int


@dataclass(slots=True)
class Listing:
    """One pair: what it trades, since when, until when, and what was done to its candles."""

    base: str
    quote: str
    status: str = "TRADING"
    first_ms: int = FIRST_MS
    last_ms: int | None = None
    rules: dict[str, dict[str, object]] = field(
        default_factory=lambda: {kind: dict(one) for kind, one in RULES.items()}
    )
    gaps: list[tuple[int, int]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    overrides: dict[str, dict[int, Kline | None]] = field(default_factory=lambda: defaultdict(dict))
    replays: dict[str, list[Kline]] = field(default_factory=dict)

    @property
    def walk(self) -> Walk:
        """The walk of its price."""
        return walk(self.base)


def klines(
    listing: Listing, interval: str, *, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int, moving: bool
) -> list[Kline]:
    """Candles that open within [start, end], oldest first: the first `limit` from `start`, else the last `limit`."""
    if interval in listing.replays:
        rows = [row for row in listing.replays[interval] if _within(row, start_ms, end_ms)]
    else:
        rows = _walked(listing, interval, start_ms=start_ms, end_ms=end_ms, limit=limit, now_ms=now_ms, moving=moving)
        rows = _overridden(rows, listing.overrides[interval], start_ms=start_ms, end_ms=end_ms)
    return rows[:limit] if start_ms is not None else rows[-limit:]


def _within(row: Kline, start_ms: int | None, end_ms: int | None) -> bool:
    time = row[0] if row else None
    if not isinstance(time, int):
        return True
    return (start_ms is None or time >= start_ms) and (end_ms is None or time <= end_ms)


def _walked(
    listing: Listing, interval: str, *, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int, moving: bool
) -> list[Kline]:
    length = LENGTHS_MS[interval]
    missing = sum((end - start) // length + 2 for start, end in listing.gaps)
    newest = min(t for t in (now_ms, end_ms, listing.last_ms) if t is not None) // length
    oldest = -(-max(listing.first_ms, start_ms or 0) // length)
    if start_ms is None:
        oldest = max(oldest, newest - limit - missing + 1)
    else:
        newest = min(newest, oldest + limit + missing - 1)
    if newest < oldest:
        return []
    unit_ms = min(length, HOUR_MS)
    until_ms = min((newest + 1) * length, (now_ms // unit_ms + 1) * unit_ms)
    units = _units(listing, oldest * length, until_ms, unit_ms=unit_ms, now_ms=now_ms, moving=moving)
    return _printed(_joined(units, length), length) if len(units.open_time) else []


def _units(listing: Listing, start_ms: int, until_ms: int, *, unit_ms: int, now_ms: int, moving: bool) -> Units:
    """Units of [start, until), the last one as far as it got, without those in gaps, with the trades made."""
    units = listing.walk.units(start_ms, (until_ms - start_ms) // unit_ms, unit_ms=unit_ms)
    forming = now_ms // unit_ms * unit_ms
    if units.open_time[-1] == forming:
        elapsed = now_ms - forming if moving else unit_ms // 2
        last = Units(*(array[-1:] for array in units.arrays()))
        partial = listing.walk.partial(last, elapsed_ms=elapsed, unit_ms=unit_ms)
        for array, value in zip(units.arrays(), partial.arrays(), strict=True):
            array[-1] = value[0]
    for trade in listing.trades:
        _traded(units, trade, unit_ms=unit_ms)
    kept = np.ones(len(units.open_time), dtype=np.bool_)
    for start, end in listing.gaps:
        kept &= (units.open_time < start) | (units.open_time >= end)
    return units.where(kept)


def _traded(units: Units, trade: Trade, *, unit_ms: int) -> None:
    index = int(trade.time_ms // unit_ms - units.open_time[0] // unit_ms)
    if not 0 <= index < len(units.open_time):
        return
    units.high[index] = max(units.high[index], trade.price)
    units.low[index] = min(units.low[index], trade.price)
    units.close[index] = trade.price
    units.volume[index] += trade.volume
    units.quote_volume[index] += round(trade.volume * (trade.price / SCALE))
    units.trades[index] += 1


def _joined(units: Units, length: int) -> Units:
    """Units grouped to candles of `length`; a candle of no unit does not exist."""
    groups = units.open_time // length
    first = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    last = np.append(first[1:], len(groups)) - 1
    sums = [np.add.reduceat(array, first) for array in units.arrays()[5:]]
    return Units(
        groups[first] * length,
        units.open[first],
        np.maximum.reduceat(units.high, first),
        np.minimum.reduceat(units.low, first),
        units.close[last],
        *sums,
    )


def _printed(candles: Units, length: int) -> list[Kline]:
    columns = [array.tolist() for array in candles.arrays()]
    return [
        [
            time, _text(o), _text(h), _text(low), _text(c), _text(v), time + length - 1, _text(qv), trades, _text(tv),
            _text(tq), "0",
        ]
        for time, o, h, low, c, v, qv, trades, tv, tq in zip(*columns, strict=True)
    ]  # fmt: skip


def _text(value: int) -> str:
    return f"{value // SCALE}.{value % SCALE:08d}"


def _overridden(
    rows: list[Kline], overrides: dict[int, Kline | None], *, start_ms: int | None, end_ms: int | None
) -> list[Kline]:
    """Rows with single ones replaced, added or (None) taken away."""
    if not overrides or not rows:
        return rows
    by_time: dict[int, Kline] = {int(str(row[0])): row for row in rows}
    first, last = min(by_time), max(by_time)
    for time, row in overrides.items():
        if row is None:
            by_time.pop(time, None)
        elif time in by_time or (first <= time <= last and _within([time], start_ms, end_ms)):
            by_time[time] = row
    return [by_time[time] for time in sorted(by_time)]
