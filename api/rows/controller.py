"""Rows of the datasets: an endpoint for each."""

from collections.abc import Iterable
from typing import Any, cast

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.response import Stream
from litestar.router import Router

from api.caching.descriptions import DESCRIBE
from api.http.openapi import QUERIED, RowsOperation, problems
from api.rows.answers import RowAnswers
from api.rows.descriptions import describe_rows
from api.rows.parameters import asked_of
from api.rows.requests import Asked
from api.rows.schemas import example_row, row_struct
from datahub_assets.datasets.spec import DatasetSpec

_NEXT_PAGE = 'Where there is more, `Link: rel="next"` leads to the next page, which is of the same commit.'


def rows_router(specs: Iterable[DatasetSpec]) -> Router:
    """The endpoints of these datasets, each called as its dataset."""
    handlers = [_handler(spec) for spec in specs]
    return Router("/api/hub", route_handlers=handlers, tags=["Rows"], security=[{"bearer": []}])


def _operation_of(spec: DatasetSpec) -> type[RowsOperation]:
    needed = frozenset(one.parameter for one in spec.filters if one.required)
    return type("RowsOperationOfDataset", (RowsOperation,), {"needed": needed})


def _handler(spec: DatasetSpec) -> HTTPRouteHandler:
    rows = ResponseSpec(
        cast("type[Any]", list[row_struct(spec)]),  # type: ignore[misc]  # a type made at run time
        generate_examples=False,
        description="the rows, in the format that is asked for",
        examples=[Example(summary=spec.title, value=[example_row(spec)])],
    )

    async def answer(request: Request[Any, Any, Any], asked: NamedDependency[Asked]) -> Response[bytes] | Stream:
        return await RowAnswers.of(request.app).answer(request, asked)

    answer.__name__ = spec.name
    return get(
        f"/{spec.name}",
        summary=spec.title,
        description=f"{spec.answer}\n\n{_NEXT_PAGE}",
        dependencies={"asked": Provide(asked_of(spec), sync_to_thread=False)},
        responses={200: rows, **QUERIED, **problems(406)},
        operation_class=_operation_of(spec),
        opt={DESCRIBE: describe_rows},
    )(answer)
