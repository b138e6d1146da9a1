"""Candles, as Binance tells them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from datahub_assets.datasets.candles.client import fetch
from datahub_assets.datasets.candles.spec import OHLC as SPEC
from tests.faults.subjects.subject import Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

SYMBOLS, INTERVALS, HISTORY = ("BTCUSDT", "ETHUSDT"), ("1h", "4h", "1d"), 30
GAP_MS = (1_767_157_200_000, 1_767_160_800_000)
"""2025-12-31 05:00 and 06:00 UTC: the exchange lacks these hourly candles of ETHUSDT."""
_KLINE: Final = {
    "timestamp": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "close_time": 6, "quote_volume": 7,
    "trade_count": 8, "taker_buy_volume": 9, "taker_buy_quote_volume": 10,
}  # fmt: skip


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    at_ms = 0
    for one in heard:
        value = one.value
        if one.path.endswith("/time") and isinstance(value, dict):
            at_ms = value.get("serverTime", at_ms)
        elif one.path.endswith("/klines"):
            symbol, interval = one.params["symbol"], one.params["interval"]
            for kline in value if isinstance(value, list) else ():
                yield from readable(_row, symbol, interval, kline, at_ms=at_ms)


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    for symbol in SYMBOLS:
        for interval in INTERVALS:
            for kline in world.binance.reference(symbol, interval, limit=HISTORY):
                yield _row(symbol, interval, kline, at_ms=world.clock.now_ms())


def _row(symbol: str, interval: str, kline: list[Any], *, at_ms: int) -> Told:
    """A kline as a row, as seen at a time of the exchange's clock."""
    values = {name: kline[place] for name, place in _KLINE.items()}
    return {
        "symbol": symbol,
        "interval": interval,
        **{name: float(value) if isinstance(value, str) else value for name, value in values.items()},
        "closed": int(kline[6]) < at_ms,
        "provider": "binance",
    }


CANDLES: Final = Subject(
    spec=SPEC,
    clients=(fetch,),
    hears=("binance", "other_binance"),
    answers=("time", "klines"),
    writes=(
        *("UPDATE series", "INSERT INTO gaps", "UPDATE gaps", "UPDATE corrections", "hub read"),
        "INSERT OR REPLACE INTO notes",
    ),
    steps={
        "exchange time": Step("binance", "/time"),
        "all candles": Step("binance", "/klines"),
        "candles of a series": Step("binance", "/klines", {"symbol": SYMBOLS[0], "interval": "1h"}),
        "gap": Step("binance", "/klines", {"symbol": "ETHUSDT", "endTime": str(GAP_MS[-1])}),
    },
    told=_told,
    now=_now,
    said=without(SPEC),
    named=SPEC.key,
    changes=lambda world: world.heal_gap(),
)
