"""What a DatasetSpec has to be, seen when it is made: everything that would fail later, or be misunderstood."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.domain.tables import FETCHED, ByRange, ByTime

if TYPE_CHECKING:
    from datahub_assets.datasets.spec import DatasetSpec

TAKEN_NAMES: Final = frozenset(
    {
        *("status", "health", "errors", "sql", "stream", "diff", "revisions", "coverage", "dataset-info", "snippets"),
        *("webhook", "market_dataset", "ohlc_dataset", "datasets"),
        *("gaps", "corrections", "sources", "default", "data", "live", "main"),
    }
)
"""Words that mean something else: routes below /api/hub, keys of the status, ledgers, configs and branches."""
COMMON_PARAMETERS: Final = frozenset(
    {
        *("start", "end", "limit", "order", "cursor", "columns", "format", "numbers", "revision", "as_of", "max_age"),
        *("dataset", "from", "to", "from_as_of", "to_as_of", "last_event_id"),
    }
)
"""Parameters every dataset's endpoint, or those over all of them, give a meaning of their own."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REPO: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_KEY_KINDS: Final = {ColumnKind.TEXT, ColumnKind.COUNT, ColumnKind.TIME}


def check(spec: "DatasetSpec") -> None:
    """Look for faults in a spec.

    Raises:
        DatasetInvalid: one line per fault: which dataset, what is wrong, and what would be right.
    """
    faults = [*_names(spec)]
    if not faults:  # what follows looks columns up by their names
        faults = [*_columns(spec), *_layout(spec), *_filters(spec), *_answers(spec), *_ledgers(spec)]
    if faults:
        raise DatasetInvalid("\n".join(f"dataset {spec.name!r}: {fault}" for fault in faults))


def _names(spec: "DatasetSpec") -> Iterator[str]:
    for what in ("name", "source_asset", "cache_table", "hub_asset"):
        if not _NAME.fullmatch(getattr(spec, what)):
            yield f"{what}={getattr(spec, what)!r} must be lower-case letters, digits and _, beginning with a letter"
    if spec.name in TAKEN_NAMES:
        yield f"the name {spec.name!r} means something else already: {', '.join(sorted(TAKEN_NAMES))} are taken"
    if not _REPO.fullmatch(spec.repo_name):
        yield f"repo_name={spec.repo_name!r} must be lower-case letters, digits, and . _ - inside"
    if twice := _twice(spec.column_names):
        yield f"the columns {', '.join(twice)} come more than once"
    yield from _named_columns(spec)
    for column in spec.columns:
        if not _NAME.fullmatch(column.name):
            yield f"the column {column.name!r} must be lower-case letters, digits and _, beginning with a letter"


def _named_columns(spec: "DatasetSpec") -> Iterator[str]:
    """What names columns names those there are."""
    named = {"key": spec.key, "default_columns": spec.default_columns}
    for what in ("time", "series", "group", "final"):
        named[what] = () if getattr(spec, what) is None else (getattr(spec, what),)
    if isinstance(spec.partitioning, ByRange):
        named["partitioning"] = (spec.partitioning.column,)
    for what, names in named.items():
        if unknown := [name for name in names if name not in spec.column_names]:
            yield f"{what} names {', '.join(unknown)}, which is no column"


def _columns(spec: "DatasetSpec") -> Iterator[str]:
    for name, kind in ((FETCHED, ColumnKind.TIME), ("provider", ColumnKind.TEXT)):
        if name not in spec.column_names or spec.column(name).kind is not kind:
            yield f"it must have a column {name!r} of kind {kind}: every row says when it was fetched, and from whom"
    if spec.column(spec.time).kind is not ColumnKind.TIME:
        yield f"the time column {spec.time!r} must be of kind time"
    if spec.final is not None and spec.column(spec.final).kind is not ColumnKind.FLAG:
        yield f"the final column {spec.final!r} must be of kind flag"
    if not spec.key or FETCHED in spec.key:
        yield f"the key must name columns that identify a row, and {FETCHED!r} is none of them"
    for column in spec.columns:
        yield from (f"the column {column.name!r} {fault}" for fault in _column(spec, column))


def _column(spec: "DatasetSpec", column: Column) -> Iterator[str]:
    if not column.doc.strip():
        yield "must say what it means"
    if column.name in spec.key and column.kind not in _KEY_KINDS:
        yield f"is of the key, so it must be of kind {', '.join(sorted(_KEY_KINDS))}"
    if column.example is None and column.name in spec.required:
        yield "must have an example"
    bounded = column.at_least is not None or column.above is not None
    if bounded and column.kind not in {ColumnKind.NUMBER, ColumnKind.COUNT}:
        yield "has bounds, which only numbers and counts can have"


def _layout(spec: "DatasetSpec") -> Iterator[str]:
    if spec.window_ms <= 0 or spec.retention_ms <= spec.window_ms:
        yield "window_ms must be above 0, and retention_ms longer than it: the cache holds what is still moving"
    for what in (spec.series, spec.group):
        if what is not None and spec.column(what).kind is not ColumnKind.TEXT:
            yield f"{what!r} names series or groups, so it must be of kind text"
    if spec.group is not None and spec.group not in spec.key:
        yield f"the group {spec.group!r} must be of the key: a row's folder must follow from it"
    if (spec.group is None) is not (not spec.groups):
        yield "groups must list the values of the group, and only where there is one"
    if odd := [group for group in spec.groups if not _WORD.fullmatch(group) or group in {"live", "default"}]:
        yield f"the groups {', '.join(odd)} cannot name a folder"
    yield from _partitioning(spec)


def _partitioning(spec: "DatasetSpec") -> Iterator[str]:
    if isinstance(spec.partitioning, ByTime):
        named = [group for group, _ in spec.partitioning.of_groups]
        if unknown := [group for group in named if group not in spec.groups]:
            yield f"partitioning names the groups {', '.join(unknown)}, which there are not"
    elif spec.partitioning.column not in spec.key or spec.partitioning.size < 1:
        yield "partitioning by range needs a column of the key and a size of 1 or more"
    elif spec.column(spec.partitioning.column).kind is not ColumnKind.COUNT:
        yield f"partitioning by range needs a column of kind count, {spec.partitioning.column!r} is none"


def _filters(spec: "DatasetSpec") -> Iterator[str]:
    if twice := _twice(one.parameter for one in spec.filters):
        yield f"the parameters {', '.join(twice)} come more than once"
    for one in spec.filters:
        yield from (f"the parameter {one.parameter!r} {fault}" for fault in _filter(spec, one.parameter, one.column))
        if one.newest and not _is_of_each(spec):
            yield f"the parameter {one.parameter!r} looks up newest rows, which `newest` must rank (NewestOfEach)"
    if spec.group is not None and spec.group_filter is None:
        yield f"a filter must choose the group {spec.group!r}"


def _filter(spec: "DatasetSpec", parameter: str, column: str) -> Iterator[str]:
    if not _NAME.fullmatch(parameter):
        yield "must be lower-case letters, digits and _, beginning with a letter"
    if parameter in COMMON_PARAMETERS:
        yield f"means the same for all datasets: {', '.join(sorted(COMMON_PARAMETERS))} are taken"
    if column not in spec.column_names:
        yield f"means the column {column!r}, which there is not"
    elif spec.column(column).kind in {ColumnKind.NUMBER, ColumnKind.TIME}:
        yield f"means {column!r}, and only texts, lists of them, counts and flags can be filtered by"


def _answers(spec: "DatasetSpec") -> Iterator[str]:
    if spec.default_limit < 1:
        yield "default_limit must be 1 or more"
    if not _is_of_each(spec):
        return
    rank = getattr(spec.newest, "rank", "")
    if spec.series is None or spec.group is not None:
        yield "`newest` is the newest row of each series, so it must have series, and no groups"
    if rank not in spec.column_names or spec.column(rank).kind not in {ColumnKind.NUMBER, ColumnKind.COUNT}:
        yield f"`newest` ranks by {rank!r}, which is no column of numbers"


def _ledgers(spec: "DatasetSpec") -> Iterator[str]:
    if spec.corrections is not None and spec.final is None:
        yield "corrections are changes of final rows, so `final` must name the column that says which are"
    if spec.gaps is not None and (spec.series is None or spec.final is None or spec.time not in spec.key):
        yield "gaps are of series that have a final row at each step of time: series, final, and time in the key"


def _is_of_each(spec: "DatasetSpec") -> bool:
    return hasattr(spec.newest, "rank")


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
