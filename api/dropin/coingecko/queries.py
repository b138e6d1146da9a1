"""CoinGecko's parameters, those of coins/markets and simple/price and what others share, in one normal form.

Names, values and precedence are those of its OpenAPI schema (docs.coingecko.com).
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.dropin.coingecko.errors import CoinGeckoRefusal
from api.http.reading import words
from datahub_assets.datasets.filters import in_capitals

USD: Final = "usd"
ORDERS: Final[Mapping[str, tuple[str, bool]]] = {
    f"{name}_{direction}": (column, direction == "desc")
    for name, column in (("market_cap", "market_cap"), ("volume", "volume_24h"), ("id", "coin_id"))
    for direction in ("asc", "desc")
}
"""By CoinGecko's name for an order: our column, and whether the largest comes first."""
MOST_PER_PAGE: Final = 250
_USUAL_PER_PAGE: Final = 100
_MOST_DIGITS: Final = 9
_MOST_CURRENCIES: Final = 100
"""CoinGecko has about 60; an answer has each of them for every coin."""
_MOST_DECIMALS: Final = 18
_PERIODS: Final = ("1h", "24h", "7d", "14d", "30d", "200d", "1y")
Flag = Annotated[str | None, QueryParameter(description="`true` or `false`")]
Precision = Annotated[str | None, QueryParameter(description="decimals of the price: `full`, or 0 to 18")]


class Lookup(msgspec.Struct, frozen=True, array_like=True):
    """Which coins: those of one column with one of these values; all coins when there is no column."""

    column: str | None = None
    values: tuple[str, ...] = ()
    only_largest: bool = True
    """Of several coins with the same symbol, the one with the largest market cap only."""


class Markets(msgspec.Struct, frozen=True, array_like=True):
    """A request for coins/markets in its normal form."""

    lookup: Lookup
    order: str
    per_page: int
    page: int
    decimals: int | None
    nulls: tuple[str, ...]
    """Further fields that were asked for and are not carried."""
    with_change_24h: bool


class Prices(msgspec.Struct, frozen=True, array_like=True):
    """A request for simple/price in its normal form."""

    lookup: Lookup
    currencies: tuple[str, ...]
    extras: tuple[str, ...]
    """Which of market cap, volume, change and time come with the price."""
    decimals: int | None


def ask_lookup(
    *,
    ids: Annotated[str | None, QueryParameter(description="coin ids, comma-separated: `bitcoin,ethereum`")] = None,
    names: Annotated[str | None, QueryParameter(description="coins' names, comma-separated")] = None,
    symbols: Annotated[str | None, QueryParameter(description="tickers, comma-separated: `btc,eth`")] = None,
    include_tokens: Annotated[
        str | None, QueryParameter(description="of coins that share a ticker: the largest (`top`) or `all`")
    ] = None,
) -> Lookup:
    """Which coins are meant; ids come before names, names before symbols.

    Raises:
        CoinGeckoRefusal: `include_tokens` is neither `top` nor `all`.
    """
    if include_tokens not in {None, "top", "all"}:
        raise CoinGeckoRefusal("Invalid include_tokens; valid: top, all")
    for column, text in (("coin_id", ids), ("name", names), ("symbol", symbols)):
        values = words([text or ""])
        if values:
            spelt = tuple(sorted(in_capitals(value) if column == "symbol" else value for value in values))
            return Lookup(column, spelt, only_largest=include_tokens != "all")
    return Lookup()


def ask_markets(
    *,
    lookup: NamedDependency[Lookup],
    vs_currency: Annotated[str | None, QueryParameter(description="mandatory: `usd`")] = None,
    category: Annotated[str | None, QueryParameter(description="not carried; refused")] = None,
    order: Annotated[str | None, QueryParameter(description=f"one of {', '.join(ORDERS)}")] = None,
    per_page: Annotated[str | None, QueryParameter(description=f"100 by default, {MOST_PER_PAGE} at most")] = None,
    page: Annotated[str | None, QueryParameter(description="1 by default; past the end is an empty list")] = None,
    precision: Precision = None,
    price_change_percentage: Annotated[
        str | None, QueryParameter(description="`1h`, `24h`, `7d`, `14d`, `30d`, `200d`, `1y`, comma-separated")
    ] = None,
    sparkline: Flag = None,
    include_rehypothecated: Flag = None,
) -> Markets:
    """What a caller means by CoinGecko's parameters.

    Raises:
        CoinGeckoRefusal: a parameter is missing, not valid, or means something that is not carried.
    """
    check_currency(vs_currency)
    if category:
        raise CoinGeckoRefusal("category is not carried by the hub")
    if order and order not in ORDERS:
        raise CoinGeckoRefusal(f"Invalid order; valid: {', '.join(ORDERS)}")
    periods = words([price_change_percentage or ""])
    if not set(periods) <= set(_PERIODS):
        raise CoinGeckoRefusal(f"Invalid price_change_percentage; valid: {', '.join(_PERIODS)}")
    nulls = [change_field(period) for period in periods if period != "24h"]
    nulls += ["sparkline_in_7d"] if is_set(sparkline) else []
    nulls += ["market_cap_rank_with_rehypothecated"] if is_set(include_rehypothecated) else []
    return Markets(
        lookup=lookup,
        order=order or "market_cap_desc",
        per_page=min(_counted("per_page", per_page, usual=_USUAL_PER_PAGE), MOST_PER_PAGE),
        page=_counted("page", page, usual=1),
        decimals=decimals_of(precision),
        nulls=tuple(sorted(nulls)),
        with_change_24h="24h" in periods,
    )


def ask_prices(
    *,
    lookup: NamedDependency[Lookup],
    vs_currencies: Annotated[str | None, QueryParameter(description="mandatory: `usd`, comma-separated")] = None,
    include_market_cap: Flag = None,
    include_24hr_vol: Flag = None,
    include_24hr_change: Flag = None,
    include_last_updated_at: Flag = None,
    precision: Precision = None,
) -> Prices:
    """What a caller means by CoinGecko's parameters.

    Raises:
        CoinGeckoRefusal: a parameter is missing or not valid.
    """
    if lookup.column is None:
        raise CoinGeckoRefusal("Missing parameter ids")
    currencies = words([(vs_currencies or "").lower()])
    if not currencies:
        raise CoinGeckoRefusal("Missing parameter vs_currencies")
    if len(currencies) > _MOST_CURRENCIES:
        raise CoinGeckoRefusal(f"Invalid vs_currencies; valid: at most {_MOST_CURRENCIES} of them")
    extras = {
        "_market_cap": include_market_cap,
        "_24h_vol": include_24hr_vol,
        "_24h_change": include_24hr_change,
        "last_updated_at": include_last_updated_at,
    }
    wanted = tuple(name for name, flag in extras.items() if is_set(flag))
    return Prices(lookup=lookup, currencies=currencies, extras=wanted, decimals=decimals_of(precision))


def change_field(period: str) -> str:
    """The field of a price change over a period that was asked for by name."""
    return f"price_change_percentage_{period}_in_currency"


def check_currency(vs_currency: str | None) -> None:
    """See that it is the one currency prices are in.

    Raises:
        CoinGeckoRefusal: it is missing, or another.
    """
    if not vs_currency:
        raise CoinGeckoRefusal("Missing parameter vs_currency")
    if vs_currency.lower() != USD:
        raise CoinGeckoRefusal("invalid vs_currency; the hub carries usd")


def is_set(value: str | None, *, usual: bool = False) -> bool:
    """Whether a flag is set; `usual` is what it means where it is not given."""
    return value.lower() in {"true", "1"} if value else usual


def _counted(name: str, value: str | None, *, usual: int) -> int:
    if not value:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS and int(value)):
        raise CoinGeckoRefusal(f"Invalid {name}; valid: a whole number from 1 on")
    return int(value)


def decimals_of(precision: str | None) -> int | None:
    """How many decimals of a price are wanted; None for all there are.

    Raises:
        CoinGeckoRefusal: it is no such number.
    """
    if not precision or precision == "full":
        return None
    digits = precision.lstrip("0") or "0"
    if not (precision.isascii() and precision.isdigit() and len(digits) <= 2 and int(digits) <= _MOST_DECIMALS):  # noqa: PLR2004
        raise CoinGeckoRefusal(f"Invalid precision; valid: full, 0 to {_MOST_DECIMALS}")
    return int(digits)
