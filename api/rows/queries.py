"""What callers say of the rows they want, checked and brought into one normal form."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from api.caching.revision_choice import choose_revision
from api.engine.selection.positions import Position
from api.http.errors import InvalidCursor, InvalidParameter
from api.http.parameters import COUNTS, LIMIT_BOUNDS, check_range, is_count, words
from api.http.times import parse_time
from api.rows.cursors import Cursor
from api.rows.requests import Asked, RowsRequest, is_of_each
from datahub_assets.datasets.answer_checks import MOST_AGE_S
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach
from datahub_assets.domain.columns import ColumnKind

MOST_VALUES: Final = 500
AGE_BOUNDS: Final = {"minimum": 1, "maximum": MOST_AGE_S}
_ORDERS: Final = ("asc", "desc")


def ask(spec: DatasetSpec, given: Mapping[str, Any]) -> Asked:
    """What a caller means by these values of the parameters of a dataset's endpoint, see `api.rows.parameters`.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    check_range("limit", given["limit"], LIMIT_BOUNDS)
    start_ms, end_ms = _range(given["start"], given["end"])
    of_each = is_of_each(spec, start_ms=start_ms, end_ms=end_ms)
    filters = _filters(spec, given)
    rows = RowsRequest(
        dataset=spec.name,
        columns=_columns(spec, given["columns"]),
        limit=given["limit"],
        descending=_descending(spec, given["order"], of_each=of_each),
        filters=filters,
        start_ms=start_ms,
        end_ms=end_ms,
        max_age_s=_max_age(spec, given, counts=of_each or _looks_up_newest(spec, filters)),
    )
    choice = choose_revision(given["revision"], given["as_of"])
    return Asked(_continued(spec, rows, given["cursor"]), choice, given["format"], given["numbers"])


def _range(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    start_ms, end_ms = parse_time("start", start), parse_time("end", end)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise InvalidParameter.of("end", end, valid="a time after start")
    return start_ms, end_ms


def _descending(spec: DatasetSpec, order: str | None, *, of_each: bool) -> bool:
    """Whether the largest or newest row comes first."""
    if order is None:
        return of_each if isinstance(spec.newest, NewestOfEach) else spec.newest.newest_first
    if order not in _ORDERS:
        raise InvalidParameter.of("order", order, valid=_ORDERS)
    return order == "desc"


def _columns(spec: DatasetSpec, values: Sequence[str] | None) -> tuple[str, ...]:
    names = words(values)
    if not names:
        return spec.shown_columns
    if names == ("*",):
        return spec.column_names
    unknown = [name for name in names if name not in spec.column_names]
    if unknown:
        raise InvalidParameter.of("columns", unknown[0], valid=spec.column_names)
    return names


def _filters(spec: DatasetSpec, given: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: list[tuple[str, tuple[str, ...]]] = []
    for one in sorted(spec.filters, key=lambda one: one.parameter):
        value = given[one.parameter]
        if spec.column(one.column).kind is ColumnKind.FLAG:
            found += [(one.parameter, ())] if value else []
        elif values := _values(spec, one, value):
            found.append((one.parameter, values))
        elif one.required:
            example = ",".join(one.example)
            raise InvalidParameter.of(one.parameter, "", valid=f"one{' or more' * one.many}, such as {example}")
    return tuple(found)


def _values(spec: DatasetSpec, one: Filter, given: list[str] | str | None) -> tuple[str, ...]:
    """The values of a filter as its column spells them, each once."""
    named = (given,) if isinstance(given, str) else words(given)
    if not named and one.default is not None:
        named = (one.default,)
    if len(named) > MOST_VALUES:
        raise InvalidParameter.of(one.parameter, f"{len(named)} of them", valid=f"at most {MOST_VALUES} at once")
    if spec.column(one.column).kind is ColumnKind.COUNT:
        return tuple(sorted({_whole(one, word) for word in named}))
    return tuple(sorted({one.spelling.of(word) for word in named}))


def _whole(one: Filter, word: str) -> str:
    if not is_count(word):
        raise InvalidParameter.of(one.parameter, word, valid="a whole number of 64 bits")
    return str(int(word))


def _looks_up_newest(spec: DatasetSpec, filters: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    named = {parameter for parameter, _ in filters}
    return any(one.newest and one.parameter in named for one in spec.filters)


def _max_age(spec: DatasetSpec, given: Mapping[str, Any], *, counts: bool) -> int | None:
    """The age where it changes the answer."""
    if not isinstance(spec.newest, NewestOfEach):
        return None
    max_age_s: int = given["max_age"]
    check_range("max_age", max_age_s, AGE_BOUNDS)
    return max_age_s if counts and max_age_s != spec.newest.max_age_s else None


def _continued(spec: DatasetSpec, rows: RowsRequest, cursor_text: str | None) -> RowsRequest:
    if cursor_text is None:
        return rows
    cursor = Cursor.parse(cursor_text)
    if cursor.query != rows.digest() or not _is_place(spec, rows, cursor.place):
        raise InvalidCursor("the cursor belongs to another query: send it with the parameters it was given for")
    return msgspec.structs.replace(rows, after=cursor.place, pinned=cursor.sha)


def _is_place(spec: DatasetSpec, rows: RowsRequest, place: Position) -> bool:
    """Whether this may be the place of a row of such a page."""
    of_each = is_of_each(spec, start_ms=rows.start_ms, end_ms=rows.end_ms)
    names = (spec.series,) if of_each else spec.page_order
    kinds = [spec.column(name).kind for name in names if name is not None]
    if len(kinds) != len(place):
        return False
    return all(
        isinstance(value, str) if kind is ColumnKind.TEXT else isinstance(value, int) and value in COUNTS
        for kind, value in zip(kinds, place, strict=True)
    )
