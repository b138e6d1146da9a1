"""Prices, as CoinGecko tells them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from datahub_assets.datasets.market import client
from datahub_assets.datasets.market.spec import MARKET as SPEC
from tests.faults.subjects.subject import Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

_FIELDS: Final = {
    "coin_id": "id", "name": "name", "price": "current_price", "market_cap": "market_cap",
    "market_cap_rank": "market_cap_rank", "volume_24h": "total_volume", "change_24h": "price_change_percentage_24h",
    "high_24h": "high_24h", "low_24h": "low_24h", "price_change_24h": "price_change_24h",
    "circulating_supply": "circulating_supply", "total_supply": "total_supply", "max_supply": "max_supply",
    "fully_diluted_valuation": "fully_diluted_valuation", "ath": "ath", "atl": "atl",
}  # fmt: skip


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    for one in heard:
        items = one.value
        for item in items if isinstance(items, list) else ():
            yield from readable(_row, item)


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    for item in world.coingecko.reference():
        yield from readable(_row, item)


def _row(item: Mapping[str, Any]) -> Told:
    if not all(math.isfinite(value) for value in item.values() if isinstance(value, float)):
        raise ValueError("a number that is none")
    values = {column: item[name] for column, name in _FIELDS.items()}
    return {
        **{name: float(value) if _is_number(name, value) else value for name, value in values.items()},
        "symbol": item["symbol"].upper(),
        "ath_date": _ms(item["ath_date"]),
        "atl_date": _ms(item["atl_date"]),
        "provider": "coingecko",
        "timestamp": _ms(item["last_updated"]),
    }


def _is_number(name: str, value: object) -> bool:
    return isinstance(value, int | float) and name != "market_cap_rank"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


MARKET: Final = Subject(
    spec=SPEC,
    clients=(client,),
    hears=("coingecko",),
    answers=("markets",),
    steps={"prices": Step("coingecko", "/coins/markets")},
    told=_told,
    now=_now,
    said=without(SPEC),
    named=SPEC.key,
    has_sealed=False,  # prices of a new day have none
)
