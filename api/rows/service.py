"""Answers a normalised request for rows from a snapshot."""

from dataclasses import dataclass
from functools import partial

import polars as pl

from api.engine.latest import latest_rows
from api.engine.selection.query import RowQuery
from api.engine.selection.select import select
from api.engine.snapshot import Snapshot
from api.http.errors import InvalidCursor
from api.rows.choice import choose, choose_newest
from api.rows.cursors import Cursor
from api.rows.requests import RowsRequest, is_of_each
from datahub_assets.datasets.spec import NewestOfEach


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows as the caller asked for them, and the cursor of the next page; None when there is none."""

    frame: pl.DataFrame
    cursor: Cursor | None


def rows_of(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool = False) -> RowsPage:
    """The rows a request means.

    Raises:
        UnknownValue, InvalidCursor: said by name.
        NotResident: `resident_only` is set and a file would have to be read, or much be looked up, first.
    """
    if is_of_each(snapshot.spec, start_ms=request.start_ms, end_ms=request.end_ms):
        return _newest_of_each(snapshot, request, resident_only=resident_only)
    return _in_order_of_time(snapshot, request, resident_only=resident_only)


def check_values(snapshot: Snapshot, request: RowsRequest) -> None:
    """See that the commit knows the values of a request's filters, as `rows_of` does. Blocks when files must be read.

    Raises:
        UnknownValue: said by name.
    """
    ranked = partial(_ranked, snapshot, request, resident_only=False)
    if is_of_each(snapshot.spec, start_ms=request.start_ms, end_ms=request.end_ms):
        choose_newest(snapshot.spec, request, ranked(), recent=_recent(snapshot, request))
    else:
        choose(snapshot, request, ranked=ranked, recent=_recent(snapshot, request))


def _in_order_of_time(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> RowsPage:
    ranked = partial(_ranked, snapshot, request, resident_only=resident_only)
    chosen = choose(snapshot, request, ranked=ranked, recent=_recent(snapshot, request))
    query = RowQuery(
        groups=chosen.groups,
        series=chosen.series,
        where=chosen.where,
        limit=request.limit,
        columns=request.columns,
        start_ms=request.start_ms,
        end_ms=request.end_ms,
        forward=request.start_ms is not None and not request.descending,
        after=request.after,
    )
    page = select(snapshot, query, resident_only=resident_only)
    frame = page.frame.reverse() if request.descending else page.frame
    cursor = None if page.next is None else Cursor(snapshot.sha, request.digest(), page.next)
    return RowsPage(frame[list(request.columns)], cursor)


def _newest_of_each(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> RowsPage:
    ranked = _ranked(snapshot, request, resident_only=resident_only)
    frame = choose_newest(snapshot.spec, request, ranked, recent=_recent(snapshot, request))
    if not request.descending:
        frame = frame.reverse()
    series = frame[str(snapshot.spec.series)]
    if request.after is not None:
        place = series.index_of(request.after[0])
        if place is None:
            raise InvalidCursor("the cursor names a row that is not in the answer")
        frame, series = frame.slice(place + 1), series.slice(place + 1)
    cursor = None
    if frame.height > request.limit:
        frame = frame.head(request.limit)
        cursor = Cursor(snapshot.sha, request.digest(), (series[request.limit - 1],))
    return RowsPage(frame[list(request.columns)], cursor)


def _ranked(snapshot: Snapshot, request: RowsRequest, *, resident_only: bool) -> pl.DataFrame:
    """The newest row of each series that is not older than the request says, the largest first."""
    max_age_ms = None if request.max_age_s is None else request.max_age_s * 1000
    return latest_rows(snapshot, max_age_ms=max_age_ms, resident_only=resident_only)


def _recent(snapshot: Snapshot, request: RowsRequest) -> str:
    """What those rows are called where one is missing."""
    rule = snapshot.spec.newest
    max_age_s = rule.max_age_s if request.max_age_s is None and isinstance(rule, NewestOfEach) else request.max_age_s
    return f"the {snapshot.spec.name} rows of the {max_age_s} s before its newest row (max_age widens that)"
