"""Endpoints of CoinGecko's API, answered from the Hub's prices."""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from api.caching.answers import Answer, Answers
from api.dropin.coingecko.coins import NOT_CARRIED, markets_json, prices_json
from api.dropin.coingecko.errors import coingecko_answer, coingecko_problems
from api.dropin.coingecko.queries import MOST_PER_PAGE, ORDERS, Lookup, ask_lookup, ask_markets, ask_prices
from api.http.openapi import CONDITIONAL
from api.http.parameters import choose_revision
from api.http.reading import RevisionChoice, each_parameter_once
from datahub_assets.datasets.market.spec import MARKET

_SERVED: Final = ("ping", "coins/markets", "simple/price")
_GUARDED: Final = coingecko_problems(400, 401, 403, 429, 503)
_READING: Final = {**CONDITIONAL, **_GUARDED, **coingecko_problems(404, 422, 502)}
_OBJECTS: Final = ResponseSpec(list[dict[str, Any]], description="a page of coins", generate_examples=False)
_PRICES: Final = ResponseSpec(dict[str, dict[str, Any]], description="prices by coin", generate_examples=False)
Flag = Annotated[str | None, QueryParameter(description="`true` or `false`")]
Precision = Annotated[str | None, QueryParameter(description="decimals of the price: `full`, or 0 to 18")]


def choose_coins(
    ids: Annotated[str | None, QueryParameter(description="coin ids, comma-separated: `bitcoin,ethereum`")] = None,
    names: Annotated[str | None, QueryParameter(description="coins' names, comma-separated")] = None,
    symbols: Annotated[str | None, QueryParameter(description="tickers, comma-separated: `btc,eth`")] = None,
    include_tokens: Annotated[
        str | None, QueryParameter(description="of coins that share a ticker: the largest (`top`) or `all`")
    ] = None,
) -> Lookup:
    """Which coins a caller means."""
    return ask_lookup(ids=ids, names=names, symbols=symbols, include_tokens=include_tokens)


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
        {"bearer": []},
        {"coingeckoDemoKey": []},
        {"coingeckoProKey": []},
        {"coingeckoDemoParameter": []},
        {"coingeckoProParameter": []},
    ]
    guards = [each_parameter_once]
    exception_handlers = {Exception: coingecko_answer}
    dependencies = {
        "choice": Provide(choose_revision, sync_to_thread=False),
        "lookup": Provide(choose_coins, sync_to_thread=False),
    }

    @get("/ping", summary="Whether the server answers", responses=_GUARDED)
    async def ping(self) -> Response[Ping]:
        """Answer CoinGecko's ping."""
        return Response(Ping("(V3) To the Moon!"), headers={"Cache-Control": "no-store"})

    @get(
        "/coins/markets",
        summary="Prices and statistics of coins",
        responses={200: _OBJECTS, **_READING},
        description=f"""The newest row of each coin; coins not seen within a day of the newest row are left out.

All fields CoinGecko documents are there. Null, as not in the dataset: {", ".join(f"`{name}`" for name in NOT_CARRIED)},
`sparkline_in_7d`, `market_cap_rank_with_rehypothecated` and price changes over other times than 24 hours. `vs_currency`
other than `usd`, and `category`, are refused; `locale` is ignored, names are English. `revision` and `as_of` are ours:
any commit there was.""",
    )
    async def markets(
        self,
        *,
        request: Request[Any, Any, Any],
        choice: NamedDependency[RevisionChoice],
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
    ) -> Answer:
        """A page of coins, largest market cap first."""
        asked = ask_markets(
            vs_currency=vs_currency,
            lookup=lookup,
            category=category,
            order=order,
            per_page=per_page,
            page=page,
            precision=precision,
            price_change_percentage=price_change_percentage,
            sparkline=sparkline,
            include_rehypothecated=include_rehypothecated,
        )
        make = partial(markets_json, asked=asked)
        return await Answers.of(request.app).json_of_commit(request, MARKET.name, asked, choice=choice, make=make)

    @get("/simple/price", summary="Prices of coins", responses={200: _PRICES, **_READING})
    async def price(
        self,
        *,
        request: Request[Any, Any, Any],
        choice: NamedDependency[RevisionChoice],
        lookup: NamedDependency[Lookup],
        vs_currencies: Annotated[str | None, QueryParameter(description="mandatory: `usd`, comma-separated")] = None,
        include_market_cap: Flag = None,
        include_24hr_vol: Flag = None,
        include_24hr_change: Flag = None,
        include_last_updated_at: Flag = None,
        precision: Precision = None,
    ) -> Answer:
        """An object by coin. Currencies other than `usd` are not in the dataset and answer null.

        Coins that are not there are left out. `revision` and `as_of` are ours: any commit there was.
        """
        extras = {
            "_market_cap": include_market_cap,
            "_24h_vol": include_24hr_vol,
            "_24h_change": include_24hr_change,
            "last_updated_at": include_last_updated_at,
        }
        asked = ask_prices(lookup=lookup, vs_currencies=vs_currencies, extras=extras, precision=precision)
        make = partial(prices_json, asked=asked)
        return await Answers.of(request.app).json_of_commit(request, MARKET.name, asked, choice=choice, make=make)

    @get("/{path:path}", include_in_schema=False)
    async def other(self, path: FromPath[str]) -> None:
        """Say what there is."""
        raise NotFoundException(f"{path.strip('/')[:100]!r} is not served here; the hub has {', '.join(_SERVED)}")
