"""What Binance says of its pairs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from datahub_assets.datasets.listings import client
from datahub_assets.datasets.listings.spec import LISTINGS as SPEC
from tests.fakes.candles import Listing
from tests.faults.subjects.subject import Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

_MINUTE_MS: Final = 60_000
_NEW_MS: Final = 1_767_225_000_000
"""2025-12-31 23:50 UTC."""


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    last: dict[object, Told] = {}
    for one in heard:
        if not one.path.endswith("/exchangeInfo") or not isinstance(one.value, dict):
            continue
        pairs = one.value.get("symbols", ())
        rows = [row for pair in pairs for row in readable(_row, pair)]
        gone = [{**row, "listed": False} for symbol, row in last.items() if symbol not in {r["symbol"] for r in rows}]
        yield from [*rows, *gone]
        last |= {row["symbol"]: row for row in rows}


def _row(pair: Mapping[str, Any]) -> Told:
    rules = {one["filterType"]: one for one in pair["filters"]}
    return {
        "symbol": pair["symbol"],
        "status": pair["status"],
        "listed": True,
        "base": pair["baseAsset"],
        "quote": pair["quoteAsset"],
        "tick_size": float(rules["PRICE_FILTER"]["tickSize"]),
        "step_size": float(rules["LOT_SIZE"]["stepSize"]),
        "min_notional": float(rules["NOTIONAL"]["minNotional"]),
        "provider": "binance",
    }


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    exchange = world.binance
    for is_listed, pairs in ((True, exchange.listings), (False, exchange.unlisted)):
        for symbol, listing in pairs.items():
            yield {
                "symbol": symbol,
                "status": listing.status,
                "listed": is_listed,
                "min_notional": float(str(listing.rules["NOTIONAL"]["minNotional"])),
                **_ends(listing, is_listed=is_listed),
            }


def _ends(listing: Listing, *, is_listed: bool) -> Told:
    """Open times of the first one-minute candle, and of the last one where there will be no more."""
    is_over = listing.last_ms is not None and (listing.status == "BREAK" or not is_listed)
    return {
        "first_candle": -(-listing.first_ms // _MINUTE_MS) * _MINUTE_MS,
        "last_candle": (listing.last_ms or 0) // _MINUTE_MS * _MINUTE_MS if is_over else None,
    }


def _changes(world: "World") -> None:
    """A rule is another one, one pair is new, one stops, and one that had stopped is not told of any more."""
    for exchange in (world.binance, world.other_binance):
        exchange.set_rule("BTCUSDT", "NOTIONAL", minNotional="7.50000000")
        exchange.list_pair(base="NEW", quote="USDT", first_ms=_NEW_MS)
        exchange.delist("BNBUSDT", at_ms=_NEW_MS)
        exchange.forget_pair("GONEUSDT")


LISTINGS: Final = Subject(
    spec=SPEC,
    clients=(client,),
    hears=("binance", "other_binance"),
    answers=("time", "exchangeInfo", "klines"),
    writes=("INSERT OR REPLACE INTO notes",),
    steps={
        "exchange time": Step("binance", "/time"),
        "pairs": Step("binance", "/exchangeInfo"),
        "candles at the ends": Step("binance", "/klines", {"interval": "1m"}),
    },
    told=_told,
    now=_now,
    said=without(SPEC, "changed_at", "first_candle", "last_candle"),
    named=("symbol",),
    only_new=True,
    changes=_changes,
    has_sealed=False,  # no pair was seen in an earlier month
)
