"""Rows: prices and candles."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from api.http.openapi import QUERIED, RowsOperation, problems
from api.rows.answers import RowAnswers
from api.rows.queries import Asked, ask_candles, ask_market
from api.rows.schemas import Candle, MarketRow

_PROBLEMS = {**QUERIED, **problems(406)}
_PRICES = ResponseSpec(list[MarketRow], generate_examples=False)  # type: ignore[valid-type]
_CANDLES = ResponseSpec(list[Candle], generate_examples=False)  # type: ignore[valid-type]


class RowsController(Controller):
    """Prices and candles."""

    path = "/api/hub"
    tags = ["Rows"]
    security = [{"bearer": []}]

    @get(
        "/market",
        summary="Newest price of each coin, or prices of a time range",
        dependencies={"asked": Provide(ask_market, sync_to_thread=False)},
        responses={200: _PRICES, **_PROBLEMS},
        operation_class=RowsOperation,
    )
    async def market(self, request: Request[Any, Any, Any], asked: NamedDependency[Asked]) -> Response[bytes] | Stream:
        """Without `start` and `end`: the newest row per coin, largest market cap first.

        With one of them: every row of that time, oldest first. A symbol several coins share means the one with the
        largest market cap; `coin_ids` is exact.
        """
        return await RowAnswers.of(request.app).answer(request, asked)

    @get(
        "/ohlc",
        summary="Candles of one or more pairs",
        dependencies={"asked": Provide(ask_candles, sync_to_thread=False)},
        responses={200: _CANDLES, **_PROBLEMS},
        operation_class=RowsOperation,
    )
    async def ohlc(self, request: Request[Any, Any, Any], asked: NamedDependency[Asked]) -> Response[bytes] | Stream:
        """The newest `limit` candles, oldest first; with `start`, the first `limit` candles from then on.

        Candles of several pairs come in order of time. `Link: rel="next"` leads to the next page, which is of the same
        commit.
        """
        return await RowAnswers.of(request.app).answer(request, asked)
