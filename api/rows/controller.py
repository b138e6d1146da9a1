"""Rows of the datasets: an endpoint for each."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.response import Stream
from litestar.router import Router

from api.access.url_tokens import SECURITY
from api.caching.answers import Answers
from api.caching.descriptions import DESCRIBE
from api.engine.selection.query import NotResident
from api.engine.selection.select import is_one_series, rows_of
from api.engine.snapshot import Snapshot
from api.http.context import RequestContext
from api.http.form import INLINE_ROWS, Form, Written, choose_form
from api.http.openapi import QUERIED, RowsOperation, problems
from api.rows.descriptions import describe_rows
from api.rows.parameters import asked_of
from api.rows.queries import Asked, cursor
from api.rows.schemas import example_row, row_struct
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import iso_short

_NOT_IN_NEXT_PAGE: Final = frozenset({"cursor", "revision", "as_of", "format"})
_NEXT_PAGE: Final = 'Where there is more, `Link: rel="next"` leads to the next page, which is of the same commit.'


def rows_router(specs: Iterable[DatasetSpec]) -> Router:
    """The endpoints of these datasets, each called as its dataset."""
    handlers = [_handler(spec) for spec in specs]
    return Router("/api/hub", route_handlers=handlers, tags=["Rows"], security=SECURITY)


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
        form = choose_form(request, asked.form)
        page = partial(_page, request=request, asked=asked, form=form)
        return await Answers.of(request.app).of_commit(
            request, spec.name, asked.rows, choice=asked.choice, form=form, compute=page, lasts=not asked.relative
        )

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


def _page(
    snapshot: Snapshot, *, request: Request[Any, Any, Any], asked: Asked, form: Form, resident_only: bool
) -> tuple[Written, dict[str, str]]:
    """A page of rows, and the link to the next one.

    Raises:
        UnknownValue, InvalidCursor: as `rows_of`.
        NotResident: `resident_only` is set and it is no small page of a series or of the newest rows, or a file must be
            read for it.
    """
    query, context = asked.rows, RequestContext.of(request.scope)
    if resident_only and (query.limit > INLINE_ROWS or not (query.of_each or is_one_series(snapshot.spec, query))):
        raise NotResident
    with context.timed("rows"):
        page = rows_of(snapshot, query, resident_only=resident_only)
    with context.timed("encode"):
        written = form.write(page.frame)
    headers = form.headers(f"{snapshot.spec.name}-{snapshot.sha[:8]}")
    if page.next is None:
        return written, headers
    url = _next_url(request, form, cursor(snapshot.sha, query, page.next), asked.relative)
    return written, {**headers, "Link": f'<{url}>; rel="next"'}


def _next_url(request: Request[Any, Any, Any], form: Form, place: str, relative: Mapping[str, int]) -> str:
    """The same request with the cursor; relative to this server where it is not known what callers call it.

    It names the format, however this caller did: those who ask for the same in other words get the same answer. And it
    names the times that relative ones came to, as the next page is of the same query.
    """
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    at = {name: iso_short(at_ms) for name, at_ms in relative.items()}
    kept = [(name, at.get(name, value)) for name, value in given if name not in _NOT_IN_NEXT_PAGE]
    query = urlencode([*kept, ("format", form.format.name), ("cursor", place)])
    return f"{RequestContext.of(request.scope).public_url}{request.scope['path']}?{query}"
