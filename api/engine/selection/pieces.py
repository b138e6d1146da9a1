"""Pieces: rows of one file, cut to those that can be on a page."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from api.engine.conditions import Condition
from api.engine.datafile import DataFile, Rows, Span
from api.engine.selection.query import NotResident, Position
from api.engine.selection.runs import Numbers, holding_in
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import EPOCH, MILLISECOND

_FOREVER_MS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Place:
    """A position taken apart.

    Attributes:
        at_ms: the row's time.
        run: its series and its group, as `run_of` has them.
        rest: its values of `within_time`.
    """

    at_ms: int
    run: tuple[str, ...]
    rest: Position

    @classmethod
    def of(cls, spec: TableSpec, position: Position) -> "Place":
        """The parts of a position that has the form of this spec's."""
        at_ms, *others = position
        split = len(others) - len(spec.within_time)
        return cls(int(at_ms), tuple(map(str, others[:split])), tuple(others[split:]))


def placed(value: Any) -> int | str:
    """A value of a row as positions have it: times as epoch milliseconds."""
    said: int | str = (value - EPOCH) // MILLISECOND if isinstance(value, datetime) else value
    return said


def run_of(spec: TableSpec, series: str, group: str | None) -> tuple[str, ...]:
    """The series and group of rows, of those two that the spec has; rows of one time are in the order of this."""
    return (*((series,) if spec.series is not None else ()), *((group or "",) if spec.group is not None else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for in the files of a snapshot.

    Attributes:
        series: names of the series whose rows count; all of them for None.
        where: what else must hold for a row.        unless_final: the same for rows that are all final.
        wanted: how many rows are looked for: one more than asked for tells whether there is a next page.
        forward: the oldest rows are meant, and not the newest.
        place: only rows beyond it count.
        resident_only: raise NotResident where a file would have to be read.
        at_s: when it is searched, epoch seconds.
    """

    spec: DatasetSpec
    series: tuple[str, ...] | None
    where: tuple[Condition, ...]
    unless_final: tuple[Condition, ...]
    wanted: int
    forward: bool
    place: Place | None
    resident_only: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one file, in its order: `count` from `first` on, or those `chosen` by their numbers.

    Attributes:
        series, group: the names of their series, and their group.
        of_series: of each chosen row the number of its series; None where all are of the first, and in order of time.
    """

    rows: Rows
    series: Sequence[str]
    group: str | None
    first: int
    count: int
    chosen: Numbers | None = None
    of_series: Numbers | None = None

    @property
    def times(self) -> Numbers:
        """The rows' times, epoch ms."""
        last = self.first + self.count
        return self.rows.times[self.first : last] if self.chosen is None else self.rows.times[self.chosen]

    @property
    def numbers(self) -> Numbers:
        """The rows' numbers in the file."""
        return np.arange(self.first, self.first + self.count) if self.chosen is None else self.chosen

    @property
    def frame(self) -> pl.DataFrame:
        """The rows, with all columns."""
        return self.rows.frame.slice(self.first, self.count) if self.chosen is None else self.rows.frame[self.chosen]

    def within(self, edge_ms: int, *, forward: bool) -> "Piece":
        """Those of the rows that lie no further than this time."""
        if self.of_series is not None and self.chosen is not None:
            kept = self.times <= edge_ms if forward else self.times >= edge_ms
            chosen = self.chosen[kept]
            return replace(self, count=chosen.size, chosen=chosen, of_series=self.of_series[kept])
        skipped = 0 if forward else int(np.searchsorted(self.times, edge_ms))
        end = int(np.searchsorted(self.times, edge_ms, side="right")) if forward else self.count
        if self.chosen is None:
            return replace(self, first=self.first + skipped, count=end - skipped)
        return replace(self, count=end - skipped, chosen=self.chosen[skipped:end])


class Window:
    """The time in which rows can be on the page: low <= time < high. It closes as nearer rows are found."""

    def __init__(self, *, start_ms: int | None, end_ms: int | None, forward: bool, place: Place | None) -> None:
        self.forward = forward
        self.low = -_FOREVER_MS if start_ms is None else start_ms
        self.high = _FOREVER_MS if end_ms is None else end_ms
        if place is not None and forward:
            self.low = max(self.low, place.at_ms)
        elif place is not None:
            self.high = min(self.high, place.at_ms + 1)

    def reach(self, edge_ms: int) -> None:
        """A page of rows was found that lie no further than this; rows of the same time may still be nearer."""
        if self.forward:
            self.high = min(self.high, edge_ms + 1)
        else:
            self.low = max(self.low, edge_ms)

    def is_before(self, file: DataFile) -> bool:
        """Whether the file, and so all that come after it, lies beyond."""
        return file.min_ms >= self.high if self.forward else file.max_ms < self.low

    def overlaps(self, span: "Span | DataFile") -> bool:
        """Whether rows of it may be in it."""
        return span.max_ms >= self.low and span.min_ms < self.high


def furthest(times: Numbers, *, wanted: int, forward: bool) -> int:
    """The furthest time of the `wanted` nearest rows, of as many at least."""
    nth = wanted - 1 if forward else times.size - wanted
    return int(np.partition(times, nth)[nth])


def pieces_of(file: DataFile, search: Search, window: Window) -> Iterator[Piece]:
    """The rows of the wanted series in a file, cut to the window and to the rows that can matter.

    Raises:
        NotResident: the search is of resident rows only, and the file is needed and not mapped.
    """
    spans = file.index.spans
    for name in spans if search.series is None else search.series:
        span = spans.get(name)
        if span is None or not window.overlaps(span):
            continue
        rows = mapped_rows(file, search)
        first, last = _cut(rows, span, run_of(search.spec, name, file.group), search, window)
        if first >= last:
            continue
        if where := search.where if span.forming else search.unless_final:
            chosen, _ = holding_rows(rows, np.array([first]), np.array([last]), search, where)
            if chosen.size:
                yield Piece(rows, (name,), file.group, 0, chosen.size, chosen)
        else:
            count = min(last - first, search.wanted)
            yield Piece(rows, (name,), file.group, first if search.forward else last - count, count)


def mapped_rows(file: DataFile, search: Search) -> Rows:
    """The rows of a file that is needed for the search. Raises as `pieces_of`."""
    rows = file.mapped_rows
    if rows is None:
        if search.resident_only:
            raise NotResident
        rows = file.open()
    file.used_at_s = search.at_s
    return rows


def holding_rows(
    rows: Rows, first: Numbers, last: Numbers, search: Search, where: Sequence[Condition]
) -> tuple[Numbers, Numbers]:
    """As `holding_in`, for what is looked for."""
    return holding_in(rows, first, last, spec=search.spec, where=where, wanted=search.wanted, forward=search.forward)


def _cut(rows: Rows, span: Span, run: tuple[str, ...], search: Search, window: Window) -> tuple[int, int]:
    """The rows of a span that are in the window and beyond the place: from the first to the one before the last."""
    begin, end, place = span.first, span.first + span.rows, search.place
    times = rows.times[begin:end]
    first = begin + int(np.searchsorted(times, window.low)) if span.min_ms < window.low else begin
    last = begin + int(np.searchsorted(times, window.high)) if span.max_ms >= window.high else end
    if place is None or not span.min_ms <= place.at_ms <= span.max_ms:
        return first, last
    same = begin + int(np.searchsorted(times, place.at_ms)), begin + int(np.searchsorted(times, place.at_ms, "right"))
    if run == place.run and search.spec.within_time:
        before, beyond = rows_at(search.spec, rows.frame, place.rest, first=same[0], last=same[1])
    elif run == place.run:
        before, beyond = same
    else:
        before = beyond = same[0] if run > place.run else same[1]
    return (max(first, beyond), last) if window.forward else (first, min(last, before))


def rows_at(spec: TableSpec, frame: pl.DataFrame, rest: Position, *, first: int, last: int) -> tuple[int, int]:
    """Where in the rows [first, last) of a sorted file, all of one series and time, those with this `rest` are."""
    same = frame[first:last]
    columns = [same[name] for name in spec.within_time]
    rows = range(same.height)

    def values(row: int) -> Position:
        return tuple(placed(column[row]) for column in columns)

    return first + bisect_left(rows, rest, key=values), first + bisect_right(rows, rest, key=values)
