"""Endpoints of Binance's spot API, answered from the Hub's candles."""

import time
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from api.caching.answers import Answer, Answers
from api.caching.revisions import snapshot_at
from api.dropin.binance.errors import binance_answer, binance_problems
from api.dropin.binance.exchange_info import ask_pairs, exchange_info
from api.dropin.binance.klines import MOST_KLINES, ask_klines, klines_json
from api.engine.engine import Engine
from api.http.openapi import CONDITIONAL
from api.http.parameters import choose_revision
from api.http.reading import ANYTHING, RevisionChoice, known_parameters_only
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.settings import Settings

_NO_STORE: Final = {"Cache-Control": "no-store"}
_SERVED: Final = ("ping", "time", "exchangeInfo", "klines")
_GUARDED: Final = binance_problems(400, 401, 403, 429, 503)
_READING: Final = {**_GUARDED, **binance_problems(404, 502)}
_OPEN_TIME: Final = "open time of a candle, epoch milliseconds; inclusive"
_KLINES: Final = ResponseSpec(
    list[list[int | str | None]],
    description="of each candle: open time, open, high, low, close, volume, close time, quote volume, trades, "
    "taker buy volume, taker buy quote volume, unused",
    generate_examples=False,
)


class ServerTime(msgspec.Struct, frozen=True):
    """The clock of this server, epoch milliseconds."""

    serverTime: int  # noqa: N815 - Binance's name


class BinanceController(Controller):
    """`/binance/api/v3`: set a client's base URL to it, and its API key to a token of this hub."""

    path = "/binance/api/v3"
    tags = ["Drop-in: Binance"]
    security = [{"bearer": []}, {"binanceKey": []}]
    guards = [known_parameters_only]
    exception_handlers = {Exception: binance_answer}
    dependencies = {"choice": Provide(choose_revision, sync_to_thread=False)}

    @get("/ping", summary="Whether the server answers", responses=_GUARDED)
    async def ping(self) -> Response[dict[str, str]]:
        """An empty object."""
        return Response({}, headers=_NO_STORE)

    @get("/time", summary="The server's clock", responses=_GUARDED)
    async def time(self) -> Response[ServerTime]:
        """The clock of this hub, not of Binance."""
        return Response(ServerTime(_now_ms()), headers=_NO_STORE)

    @get("/exchangeInfo", summary="Pairs there are candles of", responses=_READING)
    async def exchange_info(
        self,
        *,
        engine: NamedDependency[Engine],
        settings: NamedDependency[Settings],
        choice: NamedDependency[RevisionChoice],
        symbol: Annotated[str | None, QueryParameter(description="only this pair")] = None,
        symbols: Annotated[str | None, QueryParameter(description='only these pairs: `["BTCUSDT","ETHUSDT"]`')] = None,
        permissions: Annotated[
            str | None,
            QueryParameter(description='`SPOT` or `["MARGIN","LEVERAGED"]`: leaves out nothing, as none are carried'),
        ] = None,
        show_permission_sets: Annotated[
            str | None,
            QueryParameter(name="showPermissionSets", description="`false`: `permissionSets` is empty instead of null"),
        ] = None,
        symbol_status: Annotated[
            str | None,
            QueryParameter(
                name="symbolStatus",
                description="`TRADING`, `HALT` (never) or `BREAK`; like `permissions`, not with `symbol` or `symbols`",
            ),
        ] = None,
    ) -> Response[dict[str, Any]]:
        """What the candles tell of the pairs: base and quote from the spelling, `TRADING` while there are new candles.

        Filters, precisions, order types and permissions are not in the datasets and answer null, so ccxt knows no
        precision or limits of a market. `rateLimits` is this server's own limit.
        """
        wanted = ask_pairs(
            symbol=symbol,
            symbols=symbols,
            permissions=permissions,
            show_permission_sets=show_permission_sets,
            symbol_status=symbol_status,
        )
        snapshot = await snapshot_at(engine, OHLC.name, choice)
        limit = settings.rate_limit_per_min
        found = exchange_info(snapshot, wanted, now_ms=_now_ms(), requests_per_min=limit)
        return Response(found, headers={**_NO_STORE, "X-Revision": snapshot.sha})

    @get(
        "/klines",
        summary="Candles",
        responses={200: _KLINES, **CONDITIONAL, **_READING},
    )
    async def klines(
        self,
        *,
        request: Request[Any, Any, Any],
        choice: NamedDependency[RevisionChoice],
        symbol: Annotated[str | None, QueryParameter(description="mandatory: a pair such as `BTCUSDT`")] = None,
        interval: Annotated[str | None, QueryParameter(description="mandatory: `1h`, `4h`, `1d`, …")] = None,
        start_time: Annotated[str | None, QueryParameter(name="startTime", description=_OPEN_TIME)] = None,
        end_time: Annotated[str | None, QueryParameter(name="endTime", description=_OPEN_TIME)] = None,
        time_zone: Annotated[
            str | None,
            QueryParameter(name="timeZone", description="`0`, `8`, `-1:00`; where candles are the same as in UTC"),
        ] = None,
        limit: Annotated[str | None, QueryParameter(description=f"500 by default, {MOST_KLINES} at most")] = None,
    ) -> Answer:
        """Lists of twelve, oldest first: with `startTime` the first ones from then on, otherwise the newest ones.

        The last one is still forming while its close time lies ahead. Values are the dataset's 64-bit floats written
        with eight decimals; a value the dataset lacks is null. `revision` and `as_of` are ours: any commit there was.
        """
        asked = ask_klines(
            symbol=symbol,
            interval=interval,
            start_time=start_time,
            end_time=end_time,
            time_zone=time_zone,
            limit=limit,
        )
        make = partial(klines_json, rows=asked)
        return await Answers.of(request.app).json_of_commit(request, OHLC.name, asked, choice=choice, make=make)

    @get("/{path:path}", include_in_schema=False, opt={ANYTHING: True})
    async def other(self, path: FromPath[str]) -> None:
        """Say what there is."""
        raise NotFoundException(f"{path.strip('/')[:100]!r} is not served here; the hub has {', '.join(_SERVED)}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
