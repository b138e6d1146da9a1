"""The query parameters of a dataset's endpoint, made from its spec."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

from litestar.params import QueryParameter

from api.http.parameters import (
    LIMIT_BOUNDS,
    AsOf,
    Delimiter,
    End,
    FormatName,
    Numbers,
    PageCursor,
    Revision,
    Spreadsheet,
    Start,
    WordList,
    example,
)
from api.http.reading import provider
from api.rows.queries import AGE_BOUNDS, Asked, ask
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach
from datahub_assets.domain.columns import ColumnKind

_PAGES = (
    "Without `start`, or with `desc`, a page holds the newest rows there are and the next page those before them; with "
    "`start` and `asc` pages go forward in time"
)


def asked_of(spec: DatasetSpec) -> Callable[..., Asked]:
    """A function for Litestar that takes the parameters of a dataset's endpoint and says what is asked by them."""
    kinds = {name: (kind, default) for name, kind, default in _parameters(spec)}
    return provider(kinds, Asked, partial(ask, spec), prefixed={one.parameter for one in spec.filters})


def _parameters(spec: DatasetSpec) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of each."""
    for one in spec.filters:
        yield (one.parameter, *_of_filter(spec, one))
    limit = QueryParameter(schema_extra=LIMIT_BOUNDS, description="most rows of an answer")
    yield "limit", Annotated[int, limit], spec.default_limit
    yield "start", Start, None
    yield "end", End, None
    yield "order", Annotated[str | None, QueryParameter(description=_order(spec))], None
    yield "columns", Annotated[WordList, QueryParameter(description=_columns(spec))], None
    if isinstance(spec.newest, NewestOfEach):
        description = "leave out what was last seen longer ago than this before the newest row, seconds"
        max_age = QueryParameter(schema_extra=AGE_BOUNDS, description=description)
        yield "max_age", Annotated[int, max_age], spec.newest.max_age_s
    yield "cursor", PageCursor, None
    yield "revision", Revision, None
    yield "as_of", AsOf, None
    yield "format", FormatName, None
    yield "numbers", Numbers, None
    yield "spreadsheet", Spreadsheet, False
    yield "delimiter", Delimiter, None


def _of_filter(spec: DatasetSpec, one: Filter) -> tuple[Any, Any]:
    """Type and default of a filter's parameter."""
    if spec.column(one.column).kind is ColumnKind.FLAG:
        flag = QueryParameter(name=one.parameter, description=one.doc)
        return Annotated[bool, flag], one.default == "true"
    is_group = one.column == spec.group
    if one.many:
        listed = f"{one.doc}; there are {', '.join(spec.groups)}" if is_group else one.doc
        listed += "" if one.default is None else f" (`{one.default}` by default)"
        examples = example(list(one.example)) if one.example else None
        return Annotated[WordList, QueryParameter(name=one.parameter, description=listed, examples=examples)], None
    examples = example(one.example[0]) if one.example else None
    values = {"enum": list(spec.groups)} if is_group else None
    single = QueryParameter(name=one.parameter, description=one.doc, examples=examples, schema_extra=values)
    return (Annotated[str | None, single], None) if one.default is None else (Annotated[str, single], one.default)


def _order(spec: DatasetSpec) -> str:
    if isinstance(spec.newest, NewestOfEach):
        return (
            "`asc` or `desc`: without `start` and `end`, the largest first (`desc`, the default) or last; with one of "
            f"them, the oldest first (`asc`, the default) or the newest. {_PAGES}"
        )
    first = "desc" if spec.newest.newest_first else "asc"
    return f"`asc` (oldest first) or `desc`; `{first}` by default. {_PAGES}"


def _columns(spec: DatasetSpec) -> str:
    usual = f"{', '.join(spec.default_columns)} by default" if spec.default_columns else "the default"
    return f"columns to return, comma-separated; `*` for all ({usual}): {', '.join(spec.column_names)}"
