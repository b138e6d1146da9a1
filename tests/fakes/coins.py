"""The coins of the fake CoinGecko: items of /coins/markets at an instant, with the real pages' quirks. No HTTP here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.fakes.walk import walk

Item = dict[str, Any]
CADENCE_MS: Final = 60_000
"""A coin's numbers and stamp move once in this time, each coin at its own second."""
_DAY_MS: Final = 86_400_000
_KNOWN: Final = (
    ("bitcoin", "btc", "Bitcoin"), ("ethereum", "eth", "Ethereum"), ("tether", "usdt", "Tether"),
    ("binancecoin", "bnb", "BNB"), ("solana", "sol", "Solana"), ("ripple", "xrp", "XRP"),
    ("dogecoin", "doge", "Dogecoin"),
    ("cardano", "ada", "Cardano"), ("tron", "trx", "TRON"), ("avalanche-2", "avax", "Avalanche"),
    ("chainlink", "link", "Chainlink"), ("polkadot", "dot", "Polkadot"), ("litecoin", "ltc", "Litecoin"),
    ("bitcoin-cash", "bch", "Bitcoin Cash"), ("stellar", "xlm", "Stellar"), ("uniswap", "uni", "Uniswap"),
    ("cosmos", "atom", "Cosmos Hub"), ("near", "near", "NEAR Protocol"), ("aptos", "apt", "Aptos"),
    ("filecoin", "fil", "Filecoin"), ("ethereum-classic", "etc", "Ethereum Classic"),
    ("shiba-inu", "shib", "Shiba Inu"),
    ("paxos-standard", "usdp", "Pax Dollar"), ("usdp", "usdp", "USDP Stablecoin"), ("debase", "debase", "Debase"),
)  # fmt: skip
STALE_ID: Final = "debase"
"""Its stamp is three days old and its 24-hour values are null, as one real coin's were."""


@dataclass(frozen=True, slots=True)
class Coin:
    """One coin: what names it, where its numbers come from, how many of it there are."""

    coin_id: str
    symbol: str
    name: str
    asset: str
    supply: float
    phase_ms: int

    def stamp(self, at_ms: int) -> int:
        """When its numbers last moved."""
        if self.coin_id == STALE_ID:
            return at_ms // _DAY_MS * _DAY_MS - 3 * _DAY_MS
        return at_ms - (at_ms - self.phase_ms) % CADENCE_MS

    def price(self, at_ms: int) -> float:
        """Its price, US dollars."""
        return walk(self.asset).price_at(self.stamp(at_ms))


def coins(count: int) -> list[Coin]:
    """The first `count` coins, largest market cap first by design of their supplies."""
    made = []
    for number in range(count):
        known = _KNOWN[number] if number < len(_KNOWN) else None
        coin_id, symbol, name = known or (f"coin-{number:04d}", f"c{number:03d}", f"Coin {number}")
        asset = symbol.upper()
        supply = 1e12 / (number + 1) ** 1.7 / walk(asset).base
        made.append(Coin(coin_id, symbol, name, asset, supply, phase_ms=number * 7_919 % CADENCE_MS))
    return made


def item(coin: Coin, at_ms: int, *, full_precision: bool = False) -> Item:
    """The coin as /coins/markets tells it: ints, floats and 2.67e-05 alike, nulls where the real ones have them."""
    then = coin.stamp(at_ms)
    price, before = coin.price(at_ms), walk(coin.asset).price_at(then - _DAY_MS)
    value = _number(price, full_precision=full_precision)
    stale = coin.coin_id == STALE_ID
    change = price - before
    cap = round(price * coin.supply)
    bounded = coin.phase_ms % 3 == 0
    return {
        "id": coin.coin_id,
        "symbol": coin.symbol,
        "name": coin.name,
        "image": f"https://images.invalid/coins/{coin.coin_id}.png",
        "current_price": value,
        "market_cap": cap,
        "market_cap_rank": None,
        "fully_diluted_valuation": cap * 2 if bounded else None,
        "total_volume": round(cap * 0.03, 2),
        # Refreshed apart from the price, which may therefore lie outside: so it does for every tenth coin.
        "high_24h": None if stale else _number(max(price, before) * (0.999 if coin.phase_ms % 10 == 0 else 1.01)),
        "low_24h": None if stale else _number(min(price, before) * 0.99),
        "price_change_24h": None if stale else round(change, 12),
        "price_change_percentage_24h": None if stale else round(100 * change / before, 5),
        "market_cap_change_24h": None if stale else round(change * coin.supply),
        "market_cap_change_percentage_24h": None if stale else round(100 * change / before, 5),
        "circulating_supply": coin.supply,
        "total_supply": None if coin.phase_ms % 7 == 0 else coin.supply * 2,
        "max_supply": coin.supply * 2 if bounded else None,
        "ath": _number(walk(coin.asset).base * 3),
        "ath_change_percentage": -50.1,
        "ath_date": "2021-11-10T14:24:11.849Z",
        "atl": _number(walk(coin.asset).base / 3),
        "atl_change_percentage": 210.5,
        "atl_date": "2013-07-06T00:00:00.000Z",
        "roi": None if coin.phase_ms % 5 else {"times": 41.3, "currency": "btc", "percentage": 4134.9},
        "last_updated": stamp_text(then),
    }


def ranked(items: list[Item]) -> list[Item]:
    """Largest market cap first, ranks filled in; those without a number come last, without a rank."""
    ordered = sorted(items, key=_descending_cap)
    for rank, one in enumerate(ordered, start=1):
        if "market_cap_rank" in one and one["market_cap_rank"] is None and _descending_cap(one) < 0:
            one["market_cap_rank"] = rank
    return ordered


def stamp_text(time_ms: int) -> str:
    """A time as CoinGecko writes it: 2022-02-23T11:23:11.426Z."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def _descending_cap(one: Mapping[str, object]) -> float:
    cap = one.get("market_cap")
    return -float(cap) if isinstance(cap, int | float) and cap > 0 else 0.0


def _number(value: float, *, full_precision: bool = False) -> float | int:
    """Large numbers come whole, small ones with few digits, unless all digits are asked for."""
    if full_precision:
        return value
    return round(value) if value >= 1000 else float(f"{value:.6g}")
