"""The page of rows a query means: its filters looked up in the commit, then slices of sorted files, no scan.

Rows are returned as polars frames.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

import polars as pl

from api.engine.conditions import Condition, condition
from api.engine.datafile import DataFile
from api.engine.latest import latest_rows
from api.engine.selection.many_series import pieces_of_many
from api.engine.selection.pages import nearest, page_of
from api.engine.selection.pieces import Piece, Place, Search, Window, pieces_of
from api.engine.selection.query import RowQuery, RowsPage
from api.engine.snapshot import Snapshot
from api.http.disconnects import stop_if_left
from api.http.errors import InvalidCursor, unknown_value
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach

FEW_SERIES: Final = 8
"""Up to so many series are searched one by one: for them, searching all at once costs more than it saves."""
Ranked = Callable[[], pl.DataFrame]
"""Looks up the newest row of each series that is not older than the query says, the largest first."""


def rows_of(snapshot: Snapshot, query: RowQuery, *, resident_only: bool = False) -> RowsPage:
    """The page of rows a query means.

    Its cost depends on the rows it returns, not on how much history there is; with filters that are neither of series
    nor of groups, on the rows that must be looked at until as many as wanted are found.

    Raises:
        UnknownValue, InvalidCursor: said by name.
        NotResident: `resident_only` is set and a file would have to be read, or much be looked up, first.
        ClientDisconnected: as `stop_if_left`.
    """
    ranked = partial(_ranked, snapshot, query, resident_only=resident_only)
    if query.of_each:
        return _newest_of_each(snapshot.spec, query, ranked())
    return _in_order_of_time(snapshot, query, ranked, resident_only=resident_only)


def check_filters(snapshot: Snapshot, query: RowQuery) -> None:
    """See that the commit knows the values of a query's filters, as `rows_of` does. Blocks when files must be read.

    Raises:
        UnknownValue: said by name.
    """
    ranked = partial(_ranked, snapshot, query, resident_only=False)
    if query.of_each:
        _filtered(snapshot.spec, query, ranked())
    else:
        _choose(snapshot, query, ranked)


def is_one_series(spec: DatasetSpec, query: RowQuery) -> bool:
    """Whether the rows lie in one run that need not be searched: those of one series of one group."""
    given = _conditions(spec, query)
    groups = [len(values) for one, values in given if one.column == spec.group]
    series = [len(values) for one, values in given if _names_series(spec, one)]
    searched = [one for one, _ in given if one.column not in {spec.group, spec.final} and not _names_series(spec, one)]
    return (spec.group is None or groups == [1]) and (spec.series is None or series == [1]) and not searched


def _ranked(snapshot: Snapshot, query: RowQuery, *, resident_only: bool) -> pl.DataFrame:
    max_age_ms = None if query.max_age_s is None else query.max_age_s * 1000
    return latest_rows(snapshot, max_age_ms=max_age_ms, resident_only=resident_only)


def _conditions(spec: DatasetSpec, query: RowQuery) -> list[Condition]:
    """The filters that are given, and their values."""
    given = dict(query.filters)
    return [(one, given[one.parameter]) for one in spec.filters if one.parameter in given]


def _in_order_of_time(snapshot: Snapshot, query: RowQuery, ranked: Ranked, *, resident_only: bool) -> RowsPage:
    spec, forward = snapshot.spec, query.start_ms is not None and not query.descending
    place = None if query.after is None else Place.of(spec, query.after)
    chosen = _choose(snapshot, query, ranked)
    search = Search(
        spec=spec,
        series=chosen.series,
        where=chosen.where,
        unless_final=tuple(one for one in chosen.where if one[0].column != spec.final),
        wanted=query.limit + 1,
        forward=forward,
        place=place,
        resident_only=resident_only,
        at_s=time.time(),
    )
    window = Window(start_ms=query.start_ms, end_ms=query.end_ms, forward=forward, place=place)
    pieces: list[Piece] = []
    total = 0
    for file in _files(snapshot, chosen.groups, forward=forward):
        if window.is_before(file):
            break
        if not window.overlaps(file):
            continue
        if not resident_only:
            stop_if_left()
        series = file.index.spans if search.series is None else search.series
        find = pieces_of if len(series) <= FEW_SERIES else pieces_of_many
        found = list(find(file, search, window))
        pieces += found
        total += sum(piece.count for piece in found)
        if found and total >= search.wanted:
            pieces, edge_ms = nearest(pieces, wanted=search.wanted, forward=forward)
            total = sum(piece.count for piece in pieces)
            window.reach(edge_ms)
    return page_of(spec, query, pieces, forward=forward)


def _files(snapshot: Snapshot, groups: Sequence[str] | None, *, forward: bool) -> Iterable[DataFile]:
    """The files of these groups: with the newest rows first, or with the oldest ones first when `forward`."""
    of_groups = [snapshot.groups.get(group, ()) for group in _all(snapshot, groups)]
    if forward:
        return sorted(chain(*of_groups), key=lambda file: file.min_ms)
    if len(of_groups) == 1:
        return of_groups[0]
    return sorted(chain(*of_groups), key=lambda file: file.max_ms, reverse=True)


def _all(snapshot: Snapshot, groups: Sequence[str] | None) -> Collection[str | None]:
    """These groups, all there are for None."""
    return snapshot.groups if groups is None else groups


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Groups and series whose rows are meant (all for None), and the other filters."""

    groups: tuple[str, ...] | None
    series: tuple[str, ...] | None
    where: tuple[Condition, ...]


def _choose(snapshot: Snapshot, query: RowQuery, ranked: Ranked) -> _Chosen:
    """What the filters mean in a commit.

    Raises:
        UnknownValue: a value is none of the commit's.
    """
    spec, given = snapshot.spec, _conditions(snapshot.spec, query)
    groups: tuple[str, ...] | None = None
    for one, values in given:
        if spec.group is not None and one.column == spec.group:
            known = frozenset(str(group) for group in snapshot.groups)
            _check_known(one, values, known=known, where=f"commit {snapshot.sha}")
            groups = tuple(value for value in values if value in known)
    series: set[str] | None = None
    for one, values in given:
        if one.newest:
            series = (series or set()) | set(_largest(spec, ranked(), one, values, where=_recent(spec, query)))
        elif one.column == spec.series:
            of_groups = [snapshot.series.get(name, frozenset()) for name in _all(snapshot, groups)]
            all_known = of_groups[0] if len(of_groups) == 1 else frozenset().union(*of_groups)
            of = "" if groups is None else f"the {', '.join(groups)} rows of "
            _check_known(one, values, known=all_known, where=f"{of}commit {snapshot.sha}")
            series = (series or set()) | set(values)
    where = tuple(pair for pair in given if pair[0].column != spec.group and not _names_series(spec, pair[0]))
    return _Chosen(groups, None if series is None else tuple(sorted(series)), where)


def _newest_of_each(spec: DatasetSpec, query: RowQuery, ranked: pl.DataFrame) -> RowsPage:
    """A page of the newest row of each series, of those the filters mean. Raises as `_choose`, and InvalidCursor."""
    frame = _filtered(spec, query, ranked)
    if not query.descending:
        frame = frame.reverse()
    series = frame[str(spec.series)]
    if query.after is not None:
        place = series.index_of(query.after[0])
        if place is None:
            raise InvalidCursor("the cursor names a row that is not in the answer")
        frame, series = frame.slice(place + 1), series.slice(place + 1)
    cut = frame.height > query.limit
    return RowsPage(frame.head(query.limit)[list(query.columns)], (series[query.limit - 1],) if cut else None)


def _filtered(spec: DatasetSpec, query: RowQuery, ranked: pl.DataFrame) -> pl.DataFrame:
    series: set[str] | None = None
    wanted: list[pl.Expr] = []
    recent = _recent(spec, query)
    for one, values in _conditions(spec, query):
        if one.newest:
            series = (series or set()) | set(_largest(spec, ranked, one, values, where=recent))
        elif one.column == spec.series:
            meant = partial(meant_by, ranked, one)
            _check_known(one, values, known=ranked[one.column].to_list(), where=recent, meant=meant)
            series = (series or set()) | set(values)
        else:
            wanted.append(condition(spec, one, values))
    if series is not None and spec.series is not None:
        wanted.append(pl.col(spec.series).is_in(list(series)))
    return ranked.filter(*wanted) if wanted else ranked


def _names_series(spec: DatasetSpec, one: Filter) -> bool:
    """Whether a filter chooses series; several of them choose all series that one of them does."""
    return one.newest or one.column == spec.series


def _largest(
    spec: DatasetSpec, ranked: pl.DataFrame, one: Filter, values: Sequence[str], *, where: str
) -> Sequence[str]:
    """The series whose newest row is the largest of those that have a value, for each of the values."""
    found = ranked.filter(pl.col(one.column).is_in(list(values)))
    found = found.unique(one.column, keep="first", maintain_order=True)
    if found.height < len(values):
        known = ranked[one.column].drop_nulls().to_list()
        _check_known(one, values, known=known, where=where, meant=partial(meant_by, ranked, one))
    series: list[str] = found[str(spec.series)].to_list()
    return series


def meant_by(rows: pl.DataFrame, one: Filter, value: str) -> list[str]:
    """The values of a filter's column that someone may mean who gives one of another column, as `BITCOIN` for `BTC`."""
    if not one.mistaken_for:
        return []
    wanted = value.casefold()
    of_others = [rows[name].to_list() for name in one.mistaken_for]
    return [
        str(named)
        for named, *others in zip(rows[one.column].to_list(), *of_others, strict=True)
        if named is not None and wanted in {str(other).casefold() for other in others}
    ]


def _check_known(
    one: Filter,
    values: Sequence[str],
    *,
    known: Collection[str],
    where: str,
    meant: Callable[[str], Sequence[str]] = lambda _: (),
) -> None:
    """Refuse values that are not known, where the filter says that they are told apart from empty answers."""
    names = known if isinstance(known, frozenset) else frozenset(known)
    missing = [value for value in values if value not in names]
    if missing and one.unknown is not None:
        error = unknown_value(one.unknown)
        raise error.of(one.parameter, missing, known=names, where=where, meant=meant(missing[0]))


def _recent(spec: DatasetSpec, query: RowQuery) -> str:
    """What the newest rows are called where one is missing."""
    rule = spec.newest
    max_age_s = rule.max_age_s if query.max_age_s is None and isinstance(rule, NewestOfEach) else query.max_age_s
    return f"the {spec.name} rows of the {max_age_s} s before its newest row (max_age widens that)"
