"""Endpoints of CoinGecko's API, answered from the Hub's prices."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec

from api.access.url_tokens import SECURITY
from api.caching.answers import Answer
from api.caching.descriptions import DESCRIBE
from api.dropin.coingecko.charts import chart_query, ohlc_query
from api.dropin.coingecko.coins import NOT_CARRIED, markets_query, prices_query
from api.dropin.coingecko.errors import coingecko_answer, coingecko_problems
from api.dropin.coingecko.lists import list_query, search_query
from api.dropin.coingecko.queries import ask_lookup, ask_markets, ask_prices
from api.dropin.coingecko.single import ask_coin, coin_query
from api.dropin.queries import DropInQuery, describe_drop_in
from api.http.openapi import CONDITIONAL
from api.http.parameters import choose_revision
from api.http.reading import each_parameter_once

_SERVED: Final = (
    *("ping", "coins/list", "coins/markets", "coins/{id}", "coins/{id}/market_chart", "coins/{id}/ohlc", "search"),
    "simple/price",
)
_BEGINNINGS: Final = ("", *(f"/coins/{{coin_id:str}}{part}" for part in ("", "/market_chart", "/ohlc")))
"""Of the paths that are not served; Litestar does not go back to a shorter one when the rest of a longer one fails."""
_GUARDED: Final = coingecko_problems(400, 401, 403, 429, 503)
_READING: Final = {**CONDITIONAL, **_GUARDED, **coingecko_problems(404, 422, 502)}
_OBJECTS: Final = ResponseSpec(list[dict[str, Any]], description="a page of coins", generate_examples=False)
_PRICES: Final = ResponseSpec(dict[str, dict[str, Any]], description="prices by coin", generate_examples=False)
_LISTED: Final = ResponseSpec(list[dict[str, Any]], description="ids, tickers and names", generate_examples=False)
_COIN: Final = ResponseSpec(dict[str, Any], description="what is known of the coin", generate_examples=False)
_CHART: Final = ResponseSpec(
    dict[str, list[list[float | None]]],
    description="`prices`, `market_caps` and `total_volumes`: times (epoch milliseconds) and values",
    generate_examples=False,
)
_CANDLES: Final = ResponseSpec(
    list[list[float]],
    description="of each candle: time of its end (epoch milliseconds), open, high, low, close",
    generate_examples=False,
)
_FOUND: Final = ResponseSpec(
    dict[str, list[dict[str, Any]]], description="`coins`; the other lists are empty", generate_examples=False
)


def _asked(**made: Callable[..., Any]) -> dict[str, Provide]:
    """Dependencies that are made at once, by name."""
    return {name: Provide(make, sync_to_thread=False) for name, make in made.items()}


class Ping(msgspec.Struct, frozen=True):
    """The server answers."""

    gecko_says: str


class CoinGeckoController(Controller):
    """`/coingecko/api/v3`: set a client's base URL to it, and its API key to a token of this hub.

    Unknown parameters are ignored, as CoinGecko does.
    """

    path = "/coingecko/api/v3"
    tags = ["Drop-in: CoinGecko"]
    security = [
        *SECURITY,
        {"coingeckoDemoKey": []},
        {"coingeckoProKey": []},
        {"coingeckoDemoParameter": []},
        {"coingeckoProParameter": []},
    ]
    guards = [each_parameter_once]
    exception_handlers = {Exception: coingecko_answer}
    dependencies = _asked(choice=choose_revision, lookup=ask_lookup)

    @get("/ping", summary="Whether the server answers", responses=_GUARDED)
    async def ping(self) -> Response[Ping]:
        """Answer CoinGecko's ping."""
        return Response(Ping("(V3) To the Moon!"), headers={"Cache-Control": "no-store"})

    @get(
        "/coins/markets",
        summary="Prices and statistics of coins",
        dependencies=_asked(markets=ask_markets, asked=markets_query),
        responses={200: _OBJECTS, **_READING},
        description=f"""The newest row of each coin; coins not seen within a day of the newest row are left out.

All fields CoinGecko documents are there. Null, as not in the dataset: {", ".join(f"`{name}`" for name in NOT_CARRIED)},
`sparkline_in_7d`, `market_cap_rank_with_rehypothecated` and price changes over other times than 24 hours. `vs_currency`
other than `usd`, and `category`, are refused; `locale` is ignored, names are English. `revision` and `as_of` are ours:
any commit there was.""",
        opt={DESCRIBE: describe_drop_in},
    )
    async def markets(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """A page of coins, largest market cap first."""
        return await asked.answer(request)

    @get(
        "/simple/price",
        summary="Prices of coins",
        dependencies=_asked(prices=ask_prices, asked=prices_query),
        responses={200: _PRICES, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def price(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """An object by coin. Currencies other than `usd` are not in the dataset and answer null.

        Coins that are not there are left out. `revision` and `as_of` are ours: any commit there was.
        """
        return await asked.answer(request)

    @get(
        "/coins/list",
        summary="Coins there are prices of",
        dependencies=_asked(asked=list_query),
        responses={200: _LISTED, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def coins(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """The coins seen within a day of the newest row, in the order of their ids; `platforms` are empty."""
        return await asked.answer(request)

    @get(
        "/search",
        summary="Coins by a part of their id, ticker or name",
        dependencies=_asked(asked=search_query),
        responses={200: _FOUND, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def search(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """The coins in whose id, ticker or name the text stands in any case, largest market cap first."""
        return await asked.answer(request)

    @get(
        "/coins/{coin_id:str}",
        summary="One coin",
        dependencies=_asked(coin=ask_coin, asked=coin_query),
        responses={200: _COIN, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def coin(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """All fields CoinGecko documents, of the coin's newest row; what the dataset does not carry is null.

        Objects by currency have `usd` alone. An unknown coin is 404 with `coin not found`.
        """
        return await asked.answer(request)

    @get(
        "/coins/{coin_id:str}/market_chart",
        summary="Prices, market caps and volumes of one coin over time",
        dependencies=_asked(asked=chart_query),
        responses={200: _CHART, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def chart(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """Rows of the `days` before the newest row, as they were collected: of each step the first one, and the newest.

        Steps are 5 minutes for one day, an hour up to 90 days, a day beyond, or what `interval` says.
        """
        return await asked.answer(request)

    @get(
        "/coins/{coin_id:str}/ohlc",
        summary="Candles of one coin",
        dependencies=_asked(asked=ohlc_query),
        responses={200: _CANDLES, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def ohlc(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """Made of the prices that were collected, about one a minute: no trades are in the dataset.

        They are half an hour long for one or two days, 4 hours up to 30 days, 4 days beyond; the last may be forming.
        """
        return await asked.answer(request)

    @get([f"{begin}/{{path:path}}" for begin in _BEGINNINGS], include_in_schema=False)
    async def other(self, request: Request[Any, Any, Any]) -> None:
        """Say what there is."""
        asked = request.scope["path"].removeprefix(self.path)
        raise NotFoundException(f"{asked.strip('/')[:100]!r} is not served here; the hub has {', '.join(_SERVED)}")
