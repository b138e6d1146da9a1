"""What the table of a dataset has to be: its names, its columns, and how its rows are divided into files."""

import keyword
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from datahub_assets.datasets.taken_names import (
    SQL_WORDS,
    TAKEN_ASSETS,
    TAKEN_COLUMNS,
    TAKEN_GROUPS,
    TAKEN_NAMES,
    TAKEN_TABLES,
)
from datahub_assets.domain.columns import Column, ColumnKind, Value
from datahub_assets.domain.tables import FETCHED, PROVIDER, ByRange, ByTime, Period
from datahub_assets.domain.times import DAY_MS

if TYPE_CHECKING:
    from datahub_assets.datasets.spec import DatasetSpec

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
NUMBERS: Final = frozenset({ColumnKind.NUMBER, ColumnKind.COUNT})
_SPELT: Final = "must be lower-case letters, digits and _, beginning with a letter"
_FOLDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_KEY_KINDS: Final = {ColumnKind.TEXT, ColumnKind.COUNT, ColumnKind.TIME}
_LARGEST_RANGE: Final = 10**12


def names(spec: "DatasetSpec") -> Iterator[str]:
    """Faults of its names; what looks columns up by theirs can rely on it that there are none."""
    for what in ("name", "source_asset", "cache_table", "hub_asset"):
        if not NAME.fullmatch(getattr(spec, what)) or keyword.iskeyword(getattr(spec, what)):
            yield f"{what}={getattr(spec, what)!r} {_SPELT}, and no word of Python"
    if spec.name in TAKEN_NAMES:
        yield f"the name {spec.name!r} means something else already: {', '.join(sorted(TAKEN_NAMES))} are taken"
    if spec.name in SQL_WORDS:
        yield f"the name {spec.name!r} is a word of SQL, which no statement could name without quotes"
    if spec.source_asset in TAKEN_ASSETS:
        yield f"source_asset={spec.source_asset!r} means something in Dagster already"
    if spec.cache_table in TAKEN_TABLES or spec.cache_table.startswith("sqlite_"):
        yield f"cache_table={spec.cache_table!r} is a table of the cache's own; call it cached_{spec.name}"
    for what, listed in (("columns", spec.column_names), ("key", spec.key), ("groups", spec.groups)):
        if twice := repeated(listed):
            yield f"{what}: {', '.join(twice)} come more than once"
    yield from _named_columns(spec)
    for column in spec.columns:
        yield from (f"the column {column.name!r} {fault}" for fault in _column_name(column.name))


def _named_columns(spec: "DatasetSpec") -> Iterator[str]:
    """What names columns names those there are, and each for one purpose."""
    roles = {what: getattr(spec, what) for what in ("time", "series", "group", "final")}
    named = {"key": spec.key, "default_columns": spec.default_columns}
    named |= {what: () if name is None else (name,) for what, name in roles.items()}
    if isinstance(spec.partitioning, ByRange):
        named["partitioning"] = (spec.partitioning.column,)
    for what, listed in named.items():
        if unknown := [name for name in listed if name not in spec.column_names]:
            yield f"{what} names {', '.join(unknown)}, which is no column"
    if twice := repeated(name for name in roles.values() if name is not None):
        yield f"time, series, group and final must be different columns: {', '.join(twice)} is named more than once"


def _column_name(name: str) -> Iterator[str]:
    if not NAME.fullmatch(name):
        yield _SPELT
    if name in TAKEN_COLUMNS:
        yield f"means something in the cache already: {', '.join(sorted(TAKEN_COLUMNS))} are taken"
    if name in SQL_WORDS:
        yield "is a word of SQL, which no statement could name without quotes"


def shape(spec: "DatasetSpec") -> Iterator[str]:
    """Faults of its columns, its rules for rows, and its files."""
    for name, kind in ((FETCHED, ColumnKind.TIME), (PROVIDER, ColumnKind.TEXT)):
        if name not in spec.column_names or spec.column(name).kind is not kind:
            yield f"it must have a column {name!r} of kind {kind}: every row says when it was fetched, and from whom"
    if spec.column(spec.time).kind is not ColumnKind.TIME or spec.time == FETCHED:
        yield f"the time column {spec.time!r} must be of kind time, and not the time of fetching"
    if spec.final is not None and spec.column(spec.final).kind is not ColumnKind.FLAG:
        yield f"the final column {spec.final!r} must be of kind flag"
    if not spec.key or FETCHED in spec.key:
        yield f"the key must name columns that identify a row, and {FETCHED!r} is none of them"
    for column in spec.columns:
        yield from (f"the column {column.name!r} {fault}" for fault in _column(spec, column))
    yield from _rules(spec)
    yield from _layout(spec)


def _column(spec: "DatasetSpec", column: Column) -> Iterator[str]:
    if not column.doc.strip() or any(mark in f"{column.doc}{column.unit or ''}" for mark in "|\n"):
        yield "must say what it means, on one line and without |: the card has it in a table"
    if column.name in spec.key and column.kind not in _KEY_KINDS:
        yield f"is of the key, so it must be of kind {', '.join(sorted(_KEY_KINDS))}"
    bounded = column.at_least is not None or column.above is not None
    if bounded and column.kind not in NUMBERS:
        yield "has bounds, which only numbers and counts can have"
    elif column.example is not None and not _fits(column, column.example):
        yield f"has the example {column.example!r}, which is no {column.kind} within its bounds"
    elif column.example is None and column.name in spec.required:
        yield "must have an example"


def _fits(column: Column, value: Value) -> bool:
    match column.kind:
        case ColumnKind.TEXT:
            return isinstance(value, str)
        case ColumnKind.TEXTS:
            return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
        case ColumnKind.FLAG:
            return isinstance(value, bool)
        case ColumnKind.TIME:
            return isinstance(value, str) and _is_moment(value)
        case _:
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole or (column.kind is ColumnKind.NUMBER and isinstance(value, float) and math.isfinite(value))):
                return False
            return _is_within(column, value)


def _is_moment(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_within(column: Column, value: Value) -> bool:
    number = float(value) if isinstance(value, int | float) else math.nan
    below = column.at_least is not None and number < column.at_least
    return not below and not (column.above is not None and number <= column.above)


def _rules(spec: "DatasetSpec") -> Iterator[str]:
    for rule in spec.rules:
        bounds = [name for name in (rule.at_least, rule.at_most) if name is not None]
        if not rule.columns or not bounds:
            yield "each rule must name columns, and one that bounds them"
        if unknown := [name for name in (*rule.columns, *bounds) if name not in spec.column_names]:
            yield f"the rule {rule.why!r} is of {', '.join(unknown)}, which is no column"
        elif len({spec.column(name).kind for name in (*rule.columns, *bounds)}) > 1:
            yield f"the rule {rule.why!r} compares columns of several kinds"


def _layout(spec: "DatasetSpec") -> Iterator[str]:
    if spec.retention_ms <= DAY_MS:
        yield "retention_ms must be longer than a day: the cache holds what is still moving"
    for what in (spec.series, spec.group):
        if what is not None and spec.column(what).kind is not ColumnKind.TEXT:
            yield f"{what!r} names series or groups, so it must be of kind text"
    if spec.group is not None and spec.group not in spec.key:
        yield f"the group {spec.group!r} must be of the key: a row's folder must follow from it"
    if (spec.group is None) is not (not spec.groups):
        yield "groups must list the values of the group, and only where there is one"
    if odd := [group for group in spec.groups if not _FOLDER.fullmatch(group) or group in TAKEN_GROUPS]:
        yield f"the groups {', '.join(odd)} cannot name a folder and a config of the dataset"
    if spec.group is not None and spec.groups and spec.column(spec.group).example not in spec.groups:
        yield f"the example of {spec.group!r} must be one of the groups"
    yield from _partitioning(spec)


def _partitioning(spec: "DatasetSpec") -> Iterator[str]:
    if isinstance(spec.partitioning, ByTime):
        used = {spec.partitioning.period, *(period for _, period in spec.partitioning.of_groups)}
        if odd := sorted(used - {Period.DAY, Period.MONTH}):
            yield f"partitioning by time is by day or by month, not by {', '.join(odd)}"
        named = [group for group, _ in spec.partitioning.of_groups]
        if unknown := [group for group in named if group not in spec.groups]:
            yield f"partitioning names the groups {', '.join(unknown)}, which there are not"
        return
    column = spec.column(spec.partitioning.column)
    if column.name not in spec.key or not 1 <= spec.partitioning.size <= _LARGEST_RANGE:
        yield "partitioning by range needs a column of the key and a size of 1 or more"
    if column.kind is not ColumnKind.COUNT:
        yield f"partitioning by range needs a column of kind count, {column.name!r} is none"
    if column.at_least is None or column.at_least < 0:
        yield f"partitioning by range needs numbers from 0 on: {column.name!r} needs a bound, at_least=0"


def repeated(listed: Iterable[str]) -> list[str]:
    """Those that come more than once."""
    return [name for name, count in Counter(listed).items() if count > 1]
