"""What makes a Binance kline a row of the candle dataset, or a rejected one.

A kline is a list of 12: open time, open, high, low, close, volume, close time, quote volume, trades, taker base
volume, taker quote volume, ignore (rest-api.md, "Kline/Candlestick data").
"""

from collections.abc import Iterable, Sequence
from typing import Final

from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField, decimal, not_negative, positive, shown
from datahub_assets.domain.rows import Checked, Rejected, frame_of

_LEAST_ELEMENTS: Final = 11
_INT64_LIMIT: Final = 2**63


def check_klines(
    raw: Sequence[object], *, symbol: str, interval: Interval, server_time_ms: int, now_ms: int
) -> Checked:
    """Sort klines of one series into rows of `OHLC` and rejected ones; each ends in one of the two, whatever it holds.

    Candles cut short or off the grid are what the exchange really had around outages: kept as they are. Of two klines
    with the same open time the closed one counts, else the later in the answer.

    Args:
        raw: klines as decoded from JSON.
        symbol: the pair they were asked for.
        interval: the interval they were asked for.
        server_time_ms: the exchange's clock, read before the klines; a candle that ends later is still forming.
        now_ms: the time of fetching by this machine's clock, epoch milliseconds UTC; becomes `ingested_at`.
    """
    found, rejected = read_klines(raw, symbol=symbol, interval=interval, server_time_ms=server_time_ms, now_ms=now_ms)
    rows: dict[object, dict[str, object]] = {}
    for row in found:
        earlier = rows.get(row["timestamp"])
        if earlier is None or row["closed"] or not earlier["closed"]:
            rows[row["timestamp"]] = row
    return Checked(frame_of(OHLC, list(rows.values())), tuple(rejected))


def read_klines(
    raw: Iterable[object], *, symbol: str, interval: Interval, server_time_ms: int, now_ms: int
) -> tuple[list[dict[str, object]], list[Rejected]]:
    """As `check_klines`, with all good rows: as often as they come, in their order."""
    rows: list[dict[str, object]] = []
    rejected: list[Rejected] = []
    for kline in raw:
        try:
            row = _row(kline, interval=interval, server_time_ms=server_time_ms, now_ms=now_ms)
        except BadField as reason:
            subject = f"{symbol} {interval.name}"
            rejected.append(fields.rejected(OHLC, subject=subject, reason=reason, raw=kline, at_ms=_open_time(kline)))
            continue
        rows.append({"symbol": symbol, **row})
    return rows, rejected


def _row(kline: object, *, interval: Interval, server_time_ms: int, now_ms: int) -> dict[str, object]:
    if not isinstance(kline, list | tuple):
        raise BadField(f"kline is not a list but a {type(kline).__name__}")
    if len(kline) < _LEAST_ELEMENTS:
        raise BadField(f"kline has {len(kline)} elements, not 12")
    open_time, close_time = _times(kline, latest_ms=now_ms + fields.AHEAD_LIMIT_MS, interval=interval)
    return {
        "interval": interval.name,
        "timestamp": open_time,
        "close_time": close_time,
        **_prices(kline),
        "volume": decimal("volume", kline[5], check=not_negative),
        "quote_volume": decimal("quote_volume", kline[7], check=not_negative),
        "trade_count": fields.count("trade_count", kline[8]),
        "taker_buy_volume": decimal("taker_buy_volume", kline[9], check=not_negative),
        "taker_buy_quote_volume": decimal("taker_buy_quote_volume", kline[10], check=not_negative),
        "closed": interval.is_closed(close_time, now_ms=server_time_ms),
        "provider": OHLC.provider,
        "ingested_at": now_ms,
    }


def _times(kline: Sequence[object], *, latest_ms: int, interval: Interval) -> tuple[int, int]:
    """Open and close time, in their order and not too far ahead."""
    open_time = fields.plausible("open_time", fields.time_ms("open_time", kline[0]), latest_ms=latest_ms)
    close_time = fields.time_ms("close_time", kline[6])
    if close_time < open_time:
        raise BadField(f"close_time {shown(close_time)} is before open_time {open_time}")
    return open_time, fields.plausible("close_time", close_time, latest_ms=latest_ms + interval.length_ms)


def _prices(kline: Sequence[object]) -> dict[str, float]:
    prices = {
        name: decimal(name, value, check=positive)
        for name, value in zip(("open", "high", "low", "close"), kline[1:5], strict=True)
    }
    for name in ("open", "close"):
        if not prices["low"] <= prices[name] <= prices["high"]:
            raise BadField(f"{name} {prices[name]} is outside of low {prices['low']} and high {prices['high']}")
    return prices


def _open_time(kline: object) -> int | None:
    """The open time of a kline that is no good otherwise, None when it does not say."""
    told = kline[0] if isinstance(kline, list | tuple) and kline else None
    return told if type(told) is int and 0 <= told < _INT64_LIMIT else None
