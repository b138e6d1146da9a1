"""Writes the newest row of each coin as CoinGecko's coins/markets and simple/price do.

Fields are those of its OpenAPI schema (docs.coingecko.com). What the market dataset does not carry answers null;
nothing is computed in its place. What callers may ask is read in `queries`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec
import polars as pl
from litestar.di import NamedDependency

from api.dropin.coingecko.queries import ORDERS, USD, Lookup, Markets, Prices, change_field
from api.dropin.queries import DropInQuery
from api.engine.latest import latest_rows
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice
from datahub_assets.datasets.filters import in_small_letters
from datahub_assets.datasets.market.spec import MARKET

TIMES: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"
_FIELDS: Final[Mapping[str, str | None]] = {
    "id": "coin_id",
    "symbol": "symbol",
    "name": "name",
    "image": None,
    "current_price": "price",
    "market_cap": "market_cap",
    "market_cap_rank": "market_cap_rank",
    "fully_diluted_valuation": "fully_diluted_valuation",
    "total_volume": "volume_24h",
    "high_24h": "high_24h",
    "low_24h": "low_24h",
    "price_change_24h": "price_change_24h",
    "price_change_percentage_24h": "change_24h",
    "market_cap_change_24h": None,
    "market_cap_change_percentage_24h": None,
    "circulating_supply": "circulating_supply",
    "total_supply": "total_supply",
    "max_supply": "max_supply",
    "ath": "ath",
    "ath_change_percentage": None,
    "ath_date": "ath_date",
    "atl": "atl",
    "atl_change_percentage": None,
    "atl_date": "atl_date",
    "roi": None,
    "last_updated": "timestamp",
}
"""CoinGecko's field -> our column; None: not carried."""
NOT_CARRIED: Final = tuple(name for name, column in _FIELDS.items() if column is None)


def ticker(symbol: str | None) -> str | None:
    """A coin's ticker as CoinGecko writes it; None where it has told none."""
    return None if symbol is None else in_small_letters(symbol)


def markets_query(choice: NamedDependency[RevisionChoice], markets: NamedDependency[Markets]) -> DropInQuery:
    """A request for coins/markets at a commit."""
    return DropInQuery(MARKET.name, markets, choice, make=partial(markets_json, asked=markets))


def prices_query(choice: NamedDependency[RevisionChoice], prices: NamedDependency[Prices]) -> DropInQuery:
    """A request for simple/price at a commit."""
    return DropInQuery(MARKET.name, prices, choice, make=partial(prices_json, asked=prices))


def markets_json(snapshot: Snapshot, asked: Markets, *, resident_only: bool) -> bytes:
    """A page of coins as coins/markets writes them."""
    column, descending = ORDERS[asked.order]
    coins = _coins(snapshot, asked.lookup, resident_only=resident_only)
    coins = coins.sort(column, "coin_id", descending=[descending, False], nulls_last=True, maintain_order=True)
    coins = coins.slice((asked.page - 1) * asked.per_page, asked.per_page)
    if asked.decimals is not None:
        coins = coins.with_columns(pl.col("price").round(asked.decimals))
    fields = [
        (pl.lit(None) if source is None else pl.col(source)).alias(field)
        for field, source in (*_FIELDS.items(), *((name, None) for name in asked.nulls))
    ]
    if asked.with_change_24h:
        fields.append(pl.col("change_24h").alias(change_field("24h")))
    page = coins.select(fields).with_columns(
        pl.col("symbol").str.to_lowercase(), pl.col("ath_date", "atl_date", "last_updated").dt.strftime(TIMES)
    )
    return page.write_json().encode()


def prices_json(snapshot: Snapshot, asked: Prices, *, resident_only: bool) -> bytes:
    """Prices as simple/price writes them: an object by coin, with a field for each currency; only usd is carried."""
    coins = _coins(snapshot, asked.lookup, resident_only=resident_only)
    if asked.decimals is not None:
        coins = coins.with_columns(pl.col("price").round(asked.decimals))
    named = asked.lookup.column or "coin_id"
    found: dict[str, dict[str, Any]] = {}
    for coin in coins.iter_rows(
        named=True
    ):  # largest first: of several that are called the same it is the one that is told
        key = in_small_letters(coin[named]) if named == "symbol" else coin[named]
        found.setdefault(key, _price(coin, asked))
    return msgspec.json.encode(found)


def _price(coin: Mapping[str, Any], asked: Prices) -> dict[str, Any]:
    sources = {"_market_cap": "market_cap", "_24h_vol": "volume_24h", "_24h_change": "change_24h"}
    wanted = {suffix: column for suffix, column in sources.items() if suffix in asked.extras}
    price: dict[str, Any] = {}
    for currency in asked.currencies:
        for suffix, column in (("", "price"), *wanted.items()):
            price[currency + suffix] = coin[column] if currency == USD else None
    if "last_updated_at" in asked.extras:
        price["last_updated_at"] = int(coin["timestamp"].timestamp())
    return price


def _coins(snapshot: Snapshot, lookup: Lookup, *, resident_only: bool) -> pl.DataFrame:
    """The newest row of each coin that is meant, largest market cap first; coins not seen for a day are left out.

    Coins that are not there are left out, as CoinGecko does.
    """
    if resident_only:
        raise NotResident
    coins = latest_rows(snapshot)
    if lookup.column is None:
        return coins
    found = coins.filter(pl.col(lookup.column).is_in(list(lookup.values)))
    if lookup.column == "symbol" and lookup.only_largest:
        found = found.unique("symbol", keep="first", maintain_order=True)
    return found
