"""Pieces: runs of rows of one series in one file, cut to the rows that can be on a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from api.engine.conditions import Condition, holding
from api.engine.datafile import DataFile, Rows, Span
from api.engine.selection.positions import Place, rows_at, run_of
from api.engine.selection.query import NotResident, RowQuery
from datahub_assets.datasets.spec import DatasetSpec

_FOREVER_MS: Final = 1 << 62
_SCANNED_ROWS: Final = 4096
"""So many rows a filter looks at first; four times as many each further time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one series in one file, in their order: `count` from `first` on, or those `chosen` by their numbers.

    `run` is their series and group, as `run_of` has them.
    """

    rows: Rows
    run: tuple[str, ...]
    first: int
    count: int
    chosen: npt.NDArray[np.int64] | None = None

    @property
    def times(self) -> npt.NDArray[np.int64]:
        """The rows' times, epoch ms."""
        last = self.first + self.count
        return self.rows.times[self.first : last] if self.chosen is None else self.rows.times[self.chosen]

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The rows' numbers in the file."""
        return np.arange(self.first, self.first + self.count) if self.chosen is None else self.chosen

    @property
    def frame(self) -> pl.DataFrame:
        """The rows, with all columns."""
        return self.rows.frame.slice(self.first, self.count) if self.chosen is None else self.rows.frame[self.chosen]

    def part(self, skipped: int, count: int) -> "Piece":
        """`count` of these rows, after as many as are skipped."""
        if self.chosen is None:
            return replace(self, first=self.first + skipped, count=count)
        return replace(self, count=count, chosen=self.chosen[skipped : skipped + count])


class Window:
    """The time in which rows can be on the page: low <= time < high. It closes as nearer rows are found."""

    def __init__(self, query: RowQuery, place: Place | None) -> None:
        self.forward = query.forward
        self.low = -_FOREVER_MS if query.start_ms is None else query.start_ms
        self.high = _FOREVER_MS if query.end_ms is None else query.end_ms
        if place is not None and query.forward:
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


def pieces_of(
    file: DataFile,
    query: RowQuery,
    *,
    spec: DatasetSpec,
    window: Window,
    place: Place | None,
    resident_only: bool,
) -> Iterator[Piece]:
    """The runs of the queried series in a file, cut to the window and to the rows that can matter.

    Raises:
        NotResident: `resident_only` is set, and the file is needed and not mapped.
    """
    spans = file.index.spans
    unless_final = tuple(one for one in query.where if one[0].column != spec.final)
    for name in spans if query.series is None else query.series:
        span = spans.get(name)
        if span is None or not window.overlaps(span):
            continue
        if resident_only and not file.is_open:
            raise NotResident
        rows, run = file.open(), run_of(spec, name, file.group)
        first, last = _cut(rows, span, run, spec=spec, window=window, place=place)
        if first >= last:
            continue
        if where := query.where if span.forming else unless_final:
            chosen = _chosen(rows.frame, first, last, spec=spec, where=where, query=query)
            if chosen.size:
                yield Piece(rows, run, 0, chosen.size, chosen)
        else:
            count = min(last - first, query.wanted)
            yield Piece(rows, run, first if query.forward else last - count, count)


def _cut(
    rows: Rows, span: Span, run: tuple[str, ...], *, spec: DatasetSpec, window: Window, place: Place | None
) -> tuple[int, int]:
    """The rows of a span that are in the window and beyond the place: from the first to the one before the last."""
    begin, end = span.first, span.first + span.rows
    times = rows.times[begin:end]
    first = begin + int(np.searchsorted(times, window.low)) if span.min_ms < window.low else begin
    last = begin + int(np.searchsorted(times, window.high)) if span.max_ms >= window.high else end
    if place is None or not span.min_ms <= place.at_ms <= span.max_ms:
        return first, last
    same = begin + int(np.searchsorted(times, place.at_ms)), begin + int(np.searchsorted(times, place.at_ms, "right"))
    if run == place.run and spec.within_time:
        before, beyond = rows_at(spec, rows.frame, place.rest, first=same[0], last=same[1])
    elif run == place.run:
        before, beyond = same
    else:
        before = beyond = same[0] if run > place.run else same[1]
    return (max(first, beyond), last) if window.forward else (first, min(last, before))


def _chosen(
    frame: pl.DataFrame, first: int, last: int, *, spec: DatasetSpec, where: Sequence[Condition], query: RowQuery
) -> npt.NDArray[np.int64]:
    """Numbers of the nearest rows of a run for which all conditions hold, as many as are wanted."""
    found: list[npt.NDArray[np.int64]] = []
    missing, scanned = query.wanted, max(_SCANNED_ROWS, 4 * query.wanted)
    while first < last and missing > 0:
        begin, end = (first, min(first + scanned, last)) if query.forward else (max(first, last - scanned), last)
        numbers = begin + np.flatnonzero(holding(spec, where, frame.slice(begin, end - begin)))
        numbers = numbers[:missing] if query.forward else numbers[-missing:]
        found.append(numbers)
        missing -= numbers.size
        first, last, scanned = (end, last, 4 * scanned) if query.forward else (first, begin, 4 * scanned)
    return np.concatenate(found if query.forward else found[::-1])
