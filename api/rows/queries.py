"""What callers say of the rows they want, checked and brought into one normal form; and cursors.

A cursor says where a page ended, at which commit, for which query. It is opaque to callers, and checked when it comes
back.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.engine.selection.query import Position, RowQuery
from api.http.errors import InvalidCursor, InvalidParameter
from api.http.form import AskedForm
from api.http.parameters import LIMIT_BOUNDS
from api.http.reading import (
    COUNTS,
    RevisionChoice,
    check_range,
    is_count,
    is_relative,
    parse_time,
    revision_or_time,
    words,
)
from datahub_assets.datasets.answer_checks import MOST_AGE_S
from datahub_assets.datasets.filters import Filter, in_small_letters
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.files.hub_files import FULL_SHA

MOST_VALUES: Final = 500
AGE_BOUNDS: Final = {"minimum": 1, "maximum": MOST_AGE_S}
_ORDERS: Final = ("asc", "desc")
_CURSOR_FORM: Final = 3


class _CursorForm(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a cursor, the same in all versions."""

    form: int


class _PackedCursor(msgspec.Struct, array_like=True, frozen=True):
    form: int
    sha: str
    query: bytes
    place: Position


@dataclass(frozen=True, slots=True)
class Asked:
    """All a caller asked: which rows, of which commit, in which form.

    Attributes:
        relative: the times that were told by how long ago they are, by parameter, as epoch milliseconds.
    """

    rows: RowQuery
    choice: RevisionChoice
    form: AskedForm
    relative: Mapping[str, int]


def ask(spec: DatasetSpec, given: Mapping[str, Any]) -> Asked:
    """What a caller means by these values of the parameters of a dataset's endpoint, see `api.rows.parameters`.

    Raises:
        InvalidParameter, InvalidCursor: said by name.
    """
    check_range("limit", given["limit"], LIMIT_BOUNDS)
    start_ms, end_ms = _range(given["start"], given["end"])
    of_each = isinstance(spec.newest, NewestOfEach) and start_ms is None and end_ms is None
    filters = _filters(spec, given)
    rows = RowQuery(
        dataset=spec.name,
        columns=_columns(spec, given["columns"]),
        limit=given["limit"],
        descending=_descending(spec, given["order"], of_each=of_each),
        of_each=of_each,
        filters=filters,
        start_ms=start_ms,
        end_ms=end_ms,
        max_age_s=_max_age(spec, given, counts=of_each or _looks_up_newest(spec, filters)),
    )
    choice = revision_or_time(given["revision"], given["as_of"], names=("revision", "as_of"))
    if given["cursor"] is not None:
        rows = _continued(spec, rows, given["cursor"])
        choice = _pinned(rows, choice)
    times = {"start": start_ms, "end": end_ms}
    relative = {name: at_ms for name, at_ms in times.items() if at_ms is not None and is_relative(given[name])}
    form = AskedForm(given["format"], given["numbers"], given["spreadsheet"], given["delimiter"])
    return Asked(rows, choice, form, relative)


def _pinned(rows: RowQuery, choice: RevisionChoice) -> RevisionChoice:
    """The commit a cursor goes on at."""
    if not choice.is_current and choice.revision != rows.pinned:
        raise InvalidCursor("the cursor goes on at its own commit: leave revision and as_of out")
    return RevisionChoice(rows.pinned)


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
        if spec.by_name[one.column].kind is ColumnKind.FLAG:
            found += [(one.parameter, ())] if value else []
        elif values := _values(spec, one, value):
            found.append((one.parameter, values))
        elif one.required:
            example = ",".join(one.example)
            raise InvalidParameter.of(one.parameter, "", valid=f"one{' or more' * one.many}, such as {example}")
    return tuple(found)


def _values(spec: DatasetSpec, one: Filter, given: list[str] | str | None) -> tuple[str, ...]:
    """The values of a filter as its column spells them, each once."""
    if one.words:
        return tuple(sorted({in_small_letters(word) for word in str(given or "").split()}))
    named = (given,) if isinstance(given, str) else words(given)
    if not named and one.default is not None:
        named = (one.default,)
    if len(named) > MOST_VALUES:
        raise InvalidParameter.of(one.parameter, f"{len(named)} of them", valid=f"at most {MOST_VALUES} at once")
    if spec.by_name[one.column].kind is ColumnKind.COUNT:
        return tuple(sorted({_whole(one, word) for word in named}))
    return tuple(sorted({one.spelt(word) for word in named}))


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


def cursor(sha: str, query: RowQuery, place: Position) -> str:
    """The cursor of the page after one of this commit that ended at this place."""
    packed = _PackedCursor(_CURSOR_FORM, sha, _digest(query), place)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(packed)).decode().rstrip("=")


def _digest(query: RowQuery) -> bytes:
    """Tells queries apart: a page's size and place do not count."""
    same = msgspec.structs.replace(query, limit=0, after=None, pinned=None)
    return hashlib.blake2b(msgspec.msgpack.encode(same), digest_size=8).digest()


def _continued(spec: DatasetSpec, query: RowQuery, text: str) -> RowQuery:
    """The query of the page a cursor leads to.

    Raises:
        InvalidCursor: it is none of ours, or belongs to another query.
    """
    packed = _unpacked(text)
    if packed.query != _digest(query) or not _is_place(spec, query, packed.place):
        raise InvalidCursor("the cursor belongs to another query: send it with the parameters it was given for")
    return msgspec.structs.replace(query, after=packed.place, pinned=packed.sha)


def _unpacked(text: str) -> _PackedCursor:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if msgspec.msgpack.decode(raw, type=_CursorForm).form != _CURSOR_FORM:
            raise InvalidCursor("the cursor is of another version of this server; start over without it")
        packed = msgspec.msgpack.decode(raw, type=_PackedCursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidCursor("the cursor is damaged; take it unchanged from the Link header") from None
    if not FULL_SHA.fullmatch(packed.sha):
        raise InvalidCursor("the cursor names no commit; take it unchanged from the Link header")
    return packed


def _is_place(spec: DatasetSpec, query: RowQuery, place: Position) -> bool:
    """Whether this may be the place of a row of such a page."""
    names = (spec.series,) if query.of_each else spec.page_order
    kinds = [spec.by_name[name].kind for name in names if name is not None]
    if len(kinds) != len(place):
        return False
    return all(
        isinstance(value, str) if kind is ColumnKind.TEXT else isinstance(value, int) and value in COUNTS
        for kind, value in zip(kinds, place, strict=True)
    )
