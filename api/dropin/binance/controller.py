"""Endpoints of Binance's spot API, answered from the Hub's candles."""

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
from api.dropin.binance.errors import binance_answer, binance_problems
from api.dropin.binance.exchange_info import PairsQuery, ask_pairs, describe_pairs, exchange_info, pairs_at
from api.dropin.binance.klines import ask_klines
from api.dropin.binance.tickers import ask_days, ask_prices, ask_wanted
from api.dropin.binance.time_units import TimeUnit, ask_time_unit
from api.dropin.queries import DropInQuery, describe_drop_in
from api.engine.engine import Engine
from api.http.openapi import CONDITIONAL
from api.http.parameters import choose_revision
from api.http.reading import ANYTHING, known_parameters_only
from datahub_assets.settings import Settings
from datahub_system.clock import now_ms

_NO_STORE: Final = {"Cache-Control": "no-store"}
_SERVED: Final = ("ping", "time", "exchangeInfo", "klines", "uiKlines", "ticker/price", "ticker/24hr")
_GUARDED: Final = binance_problems(400, 401, 403, 429, 503)
_READING: Final = {**_GUARDED, **binance_problems(404, 502)}
_KLINES: Final = ResponseSpec(
    list[list[int | str | None]],
    description="of each candle: open time, open, high, low, close, volume, close time, quote volume, trades, "
    "taker buy volume, taker buy quote volume, unused",
    generate_examples=False,
)
_TICKERS: Final = ResponseSpec(
    dict[str, str | int | None] | list[dict[str, str | int | None]],  # type: ignore[arg-type]  # a union is no `type`
    description="an object for `symbol`, otherwise a list",
    generate_examples=False,
)


class ServerTime(msgspec.Struct, frozen=True):
    """The clock of this server, epoch milliseconds, or microseconds where the header asks for them."""

    serverTime: int  # noqa: N815 - Binance's name


class BinanceController(Controller):
    """`/binance/api/v3`: set a client's base URL to it, and its API key to a token of this hub."""

    path = "/binance/api/v3"
    tags = ["Drop-in: Binance"]
    security = [*SECURITY, {"binanceKey": []}]
    guards = [known_parameters_only]
    exception_handlers = {Exception: binance_answer}
    dependencies = {
        "choice": Provide(choose_revision, sync_to_thread=False),
        "time_unit": Provide(ask_time_unit, sync_to_thread=False),
    }

    @get("/ping", summary="Whether the server answers", responses=_GUARDED)
    async def ping(self) -> Response[dict[str, str]]:
        """An empty object."""
        return Response({}, headers=_NO_STORE)

    @get("/time", summary="The server's clock", responses=_GUARDED)
    async def time(self, time_unit: NamedDependency[TimeUnit]) -> Response[ServerTime]:
        """The clock of this hub, not of Binance."""
        return Response(ServerTime(time_unit.of_ms(now_ms())), headers=_NO_STORE)

    @get(
        "/exchangeInfo",
        summary="Pairs there are candles of",
        dependencies={"asked": Provide(ask_pairs, sync_to_thread=False)},
        responses=_READING,
        opt={DESCRIBE: describe_pairs},
    )
    async def exchange_info(
        self,
        request: Request[Any, Any, Any],
        *,
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        asked: NamedDependency[PairsQuery],
        time_unit: NamedDependency[TimeUnit],
    ) -> Response[dict[str, Any]]:
        """The pairs there are candles of, as the exchange describes them: status, base, quote, and the steps of orders.

        That is told by the dataset of listings as it was at the commit of the candles. Of a pair it does not tell of,
        base and quote are told from the spelling, and the status from the candles. Precisions, order types, fees and
        permissions are not in the datasets and answer null. `rateLimits` is this server's own limit.
        """
        known = await pairs_at(request, engine, asked.choice)
        limit, now = settings.rate_limit_per_min, time_unit.of_ms(now_ms())
        found = exchange_info(known, asked.wanted, now=now, requests_per_min=limit)
        return Response(found, headers={**_NO_STORE, "X-Revision": known.candles.sha})

    @get(
        ["/klines", "/uiKlines"],
        summary="Candles",
        dependencies={"asked": Provide(ask_klines, sync_to_thread=False)},
        responses={200: _KLINES, **CONDITIONAL, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def klines(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """Lists of twelve, oldest first: with `startTime` the first ones from then on, otherwise the newest ones.

        The last one is still forming while its close time lies ahead. Values are the dataset's 64-bit floats written
        with eight decimals; a value the dataset lacks is null. `revision` and `as_of` are ours: any commit there was.
        """
        return await asked.answer(request)

    @get(
        "/ticker/price",
        summary="Newest prices of pairs",
        dependencies={
            "wanted": Provide(ask_wanted, sync_to_thread=False),
            "asked": Provide(ask_prices),
        },
        responses={200: _TICKERS, **CONDITIONAL, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def price(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """The close of each pair's newest candle, forming or not, of the finest interval that has it.

        Without `symbol` and `symbols`, of all pairs but those that are traded no more, as `exchangeInfo` says it.
        """
        return await asked.answer(request)

    @get(
        "/ticker/24hr",
        summary="24 hours of pairs",
        dependencies={
            "wanted": Provide(ask_wanted, sync_to_thread=False),
            "asked": Provide(ask_days),
        },
        responses={200: _TICKERS, **CONDITIONAL, **_READING},
        opt={DESCRIBE: describe_drop_in},
    )
    async def day(self, request: Request[Any, Any, Any], asked: NamedDependency[DropInQuery]) -> Answer:
        """The candles of 24 hours up to and with the newest one, which may be forming, put together.

        They are those of one interval: 1h, or the nearest to it that the pair has. `openTime` is when the first of them
        opened; `closeTime` is when the last one closed, or was fetched while it was forming. What no candle tells is
        null: `lastQty`, bid and ask, `firstId` and `lastId`; so is a sum in which a value is missing. Without `symbol`
        and `symbols`, of all pairs but those that are traded no more, as `exchangeInfo` says it.
        """
        return await asked.answer(request)

    @get("/{path:path}", include_in_schema=False, opt={ANYTHING: True})
    async def other(self, path: FromPath[str]) -> None:
        """Say what there is."""
        raise NotFoundException(f"{path.strip('/')[:100]!r} is not served here; the hub has {', '.join(_SERVED)}")
