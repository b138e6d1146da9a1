"""Endpoints of CoinGecko's API, answered from the Hub's prices."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from api.access.url_tokens import SECURITY
from api.caching.answers import Answer
from api.caching.descriptions import DESCRIBE
from api.dropin.coingecko.coins import NOT_CARRIED, markets_query, prices_query
from api.dropin.coingecko.errors import coingecko_answer, coingecko_problems
from api.dropin.coingecko.queries import ask_lookup, ask_markets, ask_prices
from api.dropin.queries import DropInQuery, describe_drop_in
from api.http.openapi import CONDITIONAL
from api.http.parameters import choose_revision
from api.http.reading import each_parameter_once

_SERVED: Final = ("ping", "coins/markets", "simple/price")
_GUARDED: Final = coingecko_problems(400, 401, 403, 429, 503)
_READING: Final = {**CONDITIONAL, **_GUARDED, **coingecko_problems(404, 422, 502)}
_OBJECTS: Final = ResponseSpec(list[dict[str, Any]], description="a page of coins", generate_examples=False)
_PRICES: Final = ResponseSpec(dict[str, dict[str, Any]], description="prices by coin", generate_examples=False)


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

    @get("/{path:path}", include_in_schema=False)
    async def other(self, path: FromPath[str]) -> None:
        """Say what there is."""
        raise NotFoundException(f"{path.strip('/')[:100]!r} is not served here; the hub has {', '.join(_SERVED)}")
