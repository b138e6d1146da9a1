"""What a request's filters mean in a snapshot: which groups, which series, and what else must hold for a row."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import polars as pl

from api.engine.conditions import Condition, condition
from api.engine.snapshot import Snapshot
from api.http.errors import unknown_value
from api.rows.requests import RowsRequest
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec

Ranked = Callable[[], pl.DataFrame]
"""Looks up the newest row of each series, the largest first."""


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """Groups and series whose rows are meant (all for None), and the other filters."""

    groups: tuple[str, ...] | None
    series: tuple[str, ...] | None
    where: tuple[Condition, ...]


def conditions_of(spec: DatasetSpec, request: RowsRequest) -> list[Condition]:
    """The filters that are given, and their values."""
    given = dict(request.filters)
    return [(one, given[one.parameter]) for one in spec.filters if one.parameter in given]


def names_series(spec: DatasetSpec, one: Filter) -> bool:
    """Whether a filter chooses series; several of them choose all series that one of them does."""
    return one.newest or one.column == spec.series


def is_one_series(spec: DatasetSpec, request: RowsRequest) -> bool:
    """Whether the rows lie in one run that need not be searched: those of one series of one group."""
    given = conditions_of(spec, request)
    groups = [len(values) for one, values in given if one.column == spec.group]
    series = [len(values) for one, values in given if names_series(spec, one)]
    searched = [one for one, _ in given if one.column not in {spec.group, spec.final} and not names_series(spec, one)]
    return (spec.group is None or groups == [1]) and (spec.series is None or series == [1]) and not searched


def choose(snapshot: Snapshot, request: RowsRequest, *, ranked: Ranked, recent: str) -> ChosenRows:
    """What the filters of a request for rows of all times mean.

    Args:
        snapshot: the commit.        request: the request.
        ranked: asked for what filters look up there, see `Filter.newest`.        recent: what such rows are called.

    Raises:
        UnknownValue: a value is none of the commit's.
    """
    spec, given = snapshot.spec, conditions_of(snapshot.spec, request)
    groups = _groups(snapshot, given)
    series: set[str] | None = None
    for one, values in given:
        if one.newest:
            series = (series or set()) | set(largest(spec, ranked(), one, values, where=recent))
        elif one.column == spec.series:
            series = (series or set()) | set(_known_series(snapshot, groups, one, values))
    where = [pair for pair in given if pair[0].column != spec.group and not names_series(spec, pair[0])]
    return ChosenRows(groups, None if series is None else tuple(sorted(series)), tuple(where))


def choose_newest(spec: DatasetSpec, request: RowsRequest, frame: pl.DataFrame, *, recent: str) -> pl.DataFrame:
    """The rows the filters of a request mean, of the newest of each series. Raises as `choose`."""
    series: set[str] | None = None
    wanted: list[pl.Expr] = []
    for one, values in conditions_of(spec, request):
        if one.newest:
            series = (series or set()) | set(largest(spec, frame, one, values, where=recent))
        elif one.column == spec.series:
            check_known(one, values, known=frame[one.column].to_list(), where=recent)
            series = (series or set()) | set(values)
        else:
            wanted.append(condition(spec, one, values))
    if series is not None and spec.series is not None:
        wanted.append(pl.col(spec.series).is_in(list(series)))
    return frame.filter(*wanted) if wanted else frame


def largest(
    spec: DatasetSpec, ranked: pl.DataFrame, one: Filter, values: Sequence[str], *, where: str
) -> Sequence[str]:
    """The series whose newest row is the largest of those that have a value, for each of the values."""
    found = ranked.filter(pl.col(one.column).is_in(list(values)))
    found = found.unique(one.column, keep="first", maintain_order=True)
    if found.height < len(values):
        check_known(one, values, known=ranked[one.column].drop_nulls().to_list(), where=where)
    series: list[str] = found[str(spec.series)].to_list()
    return series


def check_known(one: Filter, values: Sequence[str], *, known: Collection[str], where: str) -> None:
    """Refuse values that are not known, where the filter says that they are told apart from empty answers."""
    names = known if isinstance(known, frozenset) else frozenset(known)
    missing = [value for value in values if value not in names]
    if missing and one.unknown is not None:
        raise unknown_value(one.unknown).of(one.parameter, missing, known=names, where=where)


def _groups(snapshot: Snapshot, given: Sequence[Condition]) -> tuple[str, ...] | None:
    spec = snapshot.spec
    for one, values in given:
        if spec.group is not None and one.column == spec.group:
            known = frozenset(str(group) for group in snapshot.groups)
            check_known(one, values, known=known, where=f"commit {snapshot.sha}")
            return tuple(value for value in values if value in known)
    return None


def _known_series(
    snapshot: Snapshot, groups: tuple[str, ...] | None, one: Filter, values: Sequence[str]
) -> Sequence[str]:
    """The values, checked against the series of the groups."""
    of_groups = [snapshot.series.get(group, frozenset()) for group in (snapshot.groups if groups is None else groups)]
    known = of_groups[0] if len(of_groups) == 1 else frozenset().union(*of_groups)
    of = "" if groups is None else f"the {', '.join(groups)} rows of "
    check_known(one, values, known=known, where=f"{of}commit {snapshot.sha}")
    return values
