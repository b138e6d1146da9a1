"""Selects rows of a snapshot by series, time and position: slices of sorted files, newest or oldest first, no scan.

Rows are returned as polars frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from api.engine.datafile import DataFile, Rows, Span
from api.engine.snapshot import Snapshot
from datahub_assets.domain.times import epoch_ms

_FOREVER_MS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Position:
    """A row's place in the total order (time, series)."""

    at_ms: int
    series: str


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows: those of `series` in `group` with start_ms <= timestamp < end_ms, at most `limit`, in order of time.

    Attributes:
        forward: take the oldest ones instead of the newest ones.
        after: only rows beyond this position (later ones when `forward`, earlier ones otherwise).
        columns: names of the columns to return; the series' and the time are always there.
    """

    group: str | None
    series: tuple[str, ...]
    limit: int
    columns: tuple[str, ...]
    start_ms: int | None = None
    end_ms: int | None = None
    forward: bool = False
    closed_only: bool = False
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class SelectedRows:
    """Rows in ascending order of (time, series), and the position to go on from; None when these are all."""

    frame: pl.DataFrame
    next: Position | None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A run of one series' rows in one file."""

    rows: Rows
    series: str
    first: int
    count: int

    @property
    def times(self) -> npt.NDArray[np.int64]:
        return self.rows.times[self.first : self.first + self.count]


class NotResident(Exception):
    """The rows lie in a file that would have to be read from parquet first."""


def select(snapshot: Snapshot, query: RowQuery, *, resident_only: bool = False) -> SelectedRows:
    """The page of rows a query means. Its cost depends on the rows it returns, not on how much history there is.

    Raises:
        NotResident: `resident_only` is set and a file is needed whose rows are not mapped yet.
    """
    files = snapshot.groups.get(query.group, ())
    ordered = sorted(files, key=lambda file: file.min_ms) if query.forward else files
    wanted = query.limit + 1  # one more tells whether there is a next page
    pieces: list[_Piece] = []
    edge: int | None = None
    for file in ordered:
        if edge is not None and (file.min_ms > edge if query.forward else file.max_ms < edge):
            break
        found = list(_pieces(file, query, wanted=wanted, resident_only=resident_only))
        if found:
            pieces, edge = _nearest([*pieces, *found], wanted=wanted, forward=query.forward)
    return _page(snapshot, query, pieces)


def _pieces(file: DataFile, query: RowQuery, *, wanted: int, resident_only: bool) -> Iterator[_Piece]:
    """The runs of the queried series in a file, cut to the queried times and to the rows that can matter."""
    rows: Rows | None = None
    for name in query.series:
        span = file.index.spans.get(name)
        if span is None:
            continue
        low, high = _bounds(query, name)
        if low >= high or span.max_ms < low or span.min_ms >= high:
            continue
        if resident_only and not file.is_open:
            raise NotResident
        rows = rows or file.open()
        yield from _cut(rows, name, span, low=low, high=high, query=query, wanted=wanted)


def _cut(rows: Rows, name: str, span: Span, *, low: int, high: int, query: RowQuery, wanted: int) -> Iterator[_Piece]:
    first, last = span.first, span.first + span.rows
    times = rows.times[first:last]
    if span.max_ms >= high:
        last = first + int(np.searchsorted(times, high))
    if span.min_ms < low:
        first += int(np.searchsorted(times, low))
    if first >= last:
        return
    runs = _closed_runs(rows, first, last) if query.closed_only and span.forming else [(first, last)]
    for begin, end in runs:
        kept = min(end - begin, wanted)
        if kept > 0:
            yield _Piece(rows, name, begin if query.forward else end - kept, kept)


def _closed_runs(rows: Rows, first: int, last: int) -> list[tuple[int, int]]:
    """The runs of rows that are final, between two rows of a file."""
    closed = rows.frame["closed"].slice(first, last - first).fill_null(value=False).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], closed, [False])).astype(np.int8)))
    return [(first + int(begin), first + int(end)) for begin, end in edges.reshape(-1, 2)]


def _bounds(query: RowQuery, series: str) -> tuple[int, int]:
    """The half-open time range that counts for one series, the position to go on from included."""
    low = -_FOREVER_MS if query.start_ms is None else query.start_ms
    high = _FOREVER_MS if query.end_ms is None else query.end_ms
    if query.after is not None and query.forward:
        low = max(low, query.after.at_ms + (1 if series <= query.after.series else 0))
    elif query.after is not None:
        high = min(high, query.after.at_ms + (1 if series < query.after.series else 0))
    return low, high


def _nearest(pieces: Sequence[_Piece], *, wanted: int, forward: bool) -> tuple[list[_Piece], int | None]:
    """Pieces cut to the times of the nearest `wanted` rows, and that time; None while there are fewer rows.

    Rows of the edge's own time all stay: which of them count is decided by series when the page is made.
    """
    total = sum(piece.count for piece in pieces)
    if total < wanted:
        return list(pieces), None
    times = np.concatenate([piece.times for piece in pieces]) if len(pieces) > 1 else pieces[0].times
    nth = wanted - 1 if forward else total - wanted
    edge = int(np.partition(times, nth)[nth])
    if total == wanted:
        return list(pieces), edge
    kept = []
    for piece in pieces:
        if forward:
            count = int(np.searchsorted(piece.times, edge, side="right"))
            first = piece.first
        else:
            skipped = int(np.searchsorted(piece.times, edge))
            first, count = piece.first + skipped, piece.count - skipped
        if count:
            kept.append(_Piece(piece.rows, piece.series, first, count))
    return kept, edge


def _page(snapshot: Snapshot, query: RowQuery, pieces: Sequence[_Piece]) -> SelectedRows:
    series = snapshot.spec.sort[0]
    columns = list(dict.fromkeys((*query.columns, series, "timestamp")))
    if not pieces:
        schema = snapshot.spec.polars_schema()
        return SelectedRows(pl.DataFrame(schema={name: schema[name] for name in columns}), None)
    ordered = sorted(pieces, key=lambda piece: int(piece.times[0]))
    # Columns by index and not by `select`, which would go through the query planner: that costs more than the rest.
    frames = [piece.rows.frame.slice(piece.first, piece.count)[columns] for piece in ordered]
    frame = reduce(pl.DataFrame.vstack, frames)
    if any(int(one.times[-1]) >= int(two.times[0]) for one, two in pairwise(ordered)):
        frame = frame.sort("timestamp", series)
    if frame.height <= query.limit:
        return SelectedRows(frame, None)
    frame = frame.head(query.limit) if query.forward else frame.tail(query.limit)
    at, name = frame[-1 if query.forward else 0, ["timestamp", series]].row(0)
    return SelectedRows(frame, Position(at_ms=epoch_ms(at), series=name))
