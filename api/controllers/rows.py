"""Rows: prices and candles."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from api.answers import RowAnswers
from api.controllers.responses import QUERIED, RowsOperation, problems
from api.negotiation import Form, form_of
from api.queries import RevisionChoice, RowsRequest, choose_revision, request_candles, request_market
from api.schemas import Candle, MarketRow

_NOT_ACCEPTABLE = problems(406)


def choose_form(
    request: Request[Any, Any, Any],
    format: Annotated[  # noqa: A002 - the parameter's public name
        str | None,
        QueryParameter(
            description="`json` (default), `columns`, `ndjson`, `csv`, `parquet` or `arrow`; beats `Accept`"
        ),
    ] = None,
    numbers: Annotated[
        str | None, QueryParameter(description="`string` writes prices and volumes as text, so that no decimal is lost")
    ] = None,
) -> Form:
    """How the caller wants rows written."""
    headers = request.headers
    return form_of(
        format_name=format,
        numbers=numbers,
        accept=headers.get("accept", ""),
        accept_encoding=headers.get("accept-encoding", ""),
    )


class RowsController(Controller):
    """Prices and candles."""

    path = "/api/hub"
    tags = ["Rows"]  # noqa: RUF012 - Litestar reads it from the class
    security = [{"bearer": []}]  # noqa: RUF012
    dependencies = {  # noqa: RUF012
        "choice": Provide(choose_revision, sync_to_thread=False),
        "form": Provide(choose_form, sync_to_thread=False),
    }

    @get(
        "/market",
        summary="Newest price of each coin, or prices of a time range",
        dependencies={"rows": Provide(request_market, sync_to_thread=False)},
        responses={200: ResponseSpec(list[MarketRow], generate_examples=False), **QUERIED, **_NOT_ACCEPTABLE},  # type: ignore[valid-type]
        operation_class=RowsOperation,
    )
    async def market(
        self,
        request: Request[Any, Any, Any],
        answers: NamedDependency[RowAnswers],
        rows: NamedDependency[RowsRequest],
        choice: NamedDependency[RevisionChoice],
        form: NamedDependency[Form],
    ) -> Response[bytes] | Stream:
        """Without `start` and `end`: the newest row per coin, largest market cap first.

        With one of them: every row of that time, oldest first. A symbol several coins share means the one with the
        largest market cap; `coin_ids` is exact.
        """
        return await answers.answer(request, rows, choice=choice, form=form)

    @get(
        "/ohlc",
        summary="Candles of one or more pairs",
        dependencies={"rows": Provide(request_candles, sync_to_thread=False)},
        responses={200: ResponseSpec(list[Candle], generate_examples=False), **QUERIED, **_NOT_ACCEPTABLE},  # type: ignore[valid-type]
        operation_class=RowsOperation,
    )
    async def ohlc(
        self,
        request: Request[Any, Any, Any],
        answers: NamedDependency[RowAnswers],
        rows: NamedDependency[RowsRequest],
        choice: NamedDependency[RevisionChoice],
        form: NamedDependency[Form],
    ) -> Response[bytes] | Stream:
        """The newest `limit` candles, oldest first; with `start`, the first `limit` candles from then on.

        Candles of several pairs come in order of time. `Link: rel="next"` leads to the next page, which is of the same
        commit.
        """
        return await answers.answer(request, rows, choice=choice, form=form)
