"""What a dataset's endpoint has to be: its filters, what a caller who asks for nothing in particular gets."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.table_checks import NAME, NUMBERS, repeated
from datahub_assets.datasets.taken_names import COMMON_PARAMETERS, TAKEN_CODES
from datahub_assets.domain.columns import ColumnKind

if TYPE_CHECKING:
    from datahub_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 50_000
"""The most rows one answer may hold."""
MOST_AGE_S: Final = 10**10
"""The longest age a caller may name, seconds."""
_CODE: Final = re.compile(r"unknown_[a-z][a-z0-9_]{0,39}")
_FILTERED: Final = {ColumnKind.TEXT, ColumnKind.TEXTS, ColumnKind.COUNT, ColumnKind.FLAG}
_RANKED: Final = NUMBERS | {ColumnKind.TIME}
_NAMING: Final = "symbol"
"""The parameter of coverage and stream that means what rows go by."""


def answers(spec: "DatasetSpec") -> Iterator[str]:
    """Faults of what its endpoint takes and gives."""
    if twice := repeated(one.parameter for one in spec.filters):
        yield f"the parameters {', '.join(twice)} come more than once"
    for one in spec.filters:
        yield from (f"the parameter {one.parameter!r} {fault}" for fault in _filter(spec, one))
    if spec.group is not None and spec.group_filter is None:
        yield f"a filter must choose the group {spec.group!r}"
    if twice := repeated(spec.default_columns):
        yield f"default_columns: {', '.join(twice)} come more than once"
    if not 1 <= spec.default_limit <= MOST_ROWS:
        yield f"default_limit must be 1 to {MOST_ROWS}"
    yield from _newest(spec)


def _filter(spec: "DatasetSpec", one: Filter) -> Iterator[str]:
    if not NAME.fullmatch(one.parameter):
        yield "must be lower-case letters, digits and _, beginning with a letter"
    if one.parameter in COMMON_PARAMETERS:
        yield f"means the same for all datasets: {', '.join(sorted(COMMON_PARAMETERS))} are taken"
    if one.parameter == _NAMING and not one.names_row:
        yield "means what rows go by, in coverage and stream: it needs names_row, or another name"
    if not one.doc.strip():
        yield "must say what it means"
    if one.column not in spec.column_names:
        yield f"means the column {one.column!r}, which there is not"
        return
    kind = spec.column(one.column).kind
    if kind not in _FILTERED:
        yield f"means {one.column!r}, and only texts, lists of them, counts and flags can be filtered by"
    if one.column == spec.group and (lost := [group for group in spec.groups if one.spelt(group) != group]):
        yield f"spells values {one.spelling}, so that nobody could ask for the groups {', '.join(lost)}"
    if one.words and (kind is not ColumnKind.TEXT or one.many or one.default is not None or one.names_row):
        yield "looks for words, so it must mean a column of kind text, take one value, name no row and have no default"
    yield from _values(spec, one, kind)
    yield from _lookup(spec, one, kind)


def _values(spec: "DatasetSpec", one: Filter, kind: ColumnKind) -> Iterator[str]:
    """What a caller gives, and what is meant where none does."""
    if one.required and one.default is not None:
        yield "is required, so its default never counts"
    if kind is ColumnKind.FLAG and (one.required or one.example):
        yield "is switched on or off, so it has no example and is not required"
    if one.required and not one.example:
        yield "is required, so it must have an example: a request that runs"
    for value in (*one.example, *([] if one.default is None else [one.default])):
        if not _is_valid(spec, one, kind, value):
            yield f"has the example or default {value!r}, which {one.column!r} cannot be"


def _is_valid(spec: "DatasetSpec", one: Filter, kind: ColumnKind, value: str) -> bool:
    if one.words:
        return bool(value.split())
    if kind is ColumnKind.FLAG:
        return value in {"true", "false"}
    if kind is ColumnKind.COUNT:
        return re.fullmatch(r"-?[0-9]{1,18}", value) is not None
    if one.column == spec.group:
        return one.spelt(value) in spec.groups
    return one.spelt(value) == value


def _lookup(spec: "DatasetSpec", one: Filter, kind: ColumnKind) -> Iterator[str]:
    """How its values are found, and what is told of one that is not."""
    if one.newest and not is_of_each(spec):
        yield "looks up newest rows, which `newest` must rank (NewestOfEach)"
    if (one.newest or one.names_row) and kind is not ColumnKind.TEXT:
        yield "names rows or series, so it must mean a column of kind text"
    odd = [name for name in one.mistaken_for if name not in spec.column_names]
    if odd or (one.mistaken_for and not is_of_each(spec)):
        yield f"is mistaken for {', '.join(one.mistaken_for)}, which must be columns of newest rows (NewestOfEach)"
    if one.unknown is None:
        return
    if one.column not in {spec.series, spec.group} and not one.newest:
        yield "tells unknown values, which only those of the series, of the group and of newest rows can be"
    if not _CODE.fullmatch(one.unknown.code) or one.unknown.code in TAKEN_CODES:
        yield f"has the code {one.unknown.code!r}, which must be like unknown_symbol, and none of {sorted(TAKEN_CODES)}"
    if not one.unknown.noun.strip():
        yield "must say what an unknown value is called"


def _newest(spec: "DatasetSpec") -> Iterator[str]:
    if not is_of_each(spec):
        return
    rank = getattr(spec.newest, "rank", "")
    if spec.series is None or spec.group is not None:
        yield "`newest` is the newest row of each series, so it must have series, and no groups"
    if rank not in spec.column_names or spec.column(rank).kind not in _RANKED:
        yield f"`newest` ranks by {rank!r}, which is no column of numbers or times"
    if not 1 <= getattr(spec.newest, "max_age_s", 0) <= MOST_AGE_S:
        yield f"`newest` must have a max_age_s of 1 to {MOST_AGE_S}"


def is_of_each(spec: "DatasetSpec") -> bool:
    """Whether `newest` is the newest row of each series."""
    return hasattr(spec.newest, "rank")
