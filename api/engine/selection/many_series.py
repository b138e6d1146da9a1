"""Pieces of many series: those of a file are searched all at once, and become one piece."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import numpy as np

from api.engine.datafile import DataFile, Rows
from api.engine.selection.pieces import Piece, Search, Window, furthest, holding_rows, mapped_rows, rows_at, run_of
from api.engine.selection.runs import Numbers, reached, spread

_SPARE: Final = 4
"""A search of the nearest rows may find so many times as many as are wanted; less would cost more than it saves."""


def pieces_of_many(file: DataFile, search: Search, window: Window) -> Iterator[Piece]:
    """As `pieces_of`: one piece for all series, or two where not the same must hold for rows that are final."""
    runs = file.runs
    series = np.arange(len(runs.names))
    if search.series is not None:
        series = np.array([runs.numbers[name] for name in search.series if name in runs.numbers], dtype=np.int64)
    series = series[(runs.max_ms[series] >= window.low) & (runs.min_ms[series] < window.high)]
    if not series.size:
        return
    rows = mapped_rows(file, search)
    first, last = _cut(rows, file, series, search, window)
    series, first, last = (of_runs[first < last] for of_runs in (series, first, last))
    forming = runs.forming[series] > 0
    alike = search.where == search.unless_final
    parts = ((search.where, forming | alike), (search.unless_final, ~forming & (not alike)))
    for where, part in parts:
        if not part.any():
            continue
        begin, end = first[part], last[part]
        if where:
            chosen, of_run = holding_rows(rows, begin, end, search, where)
        else:
            begin, end = _nearest(rows.times, begin, end, wanted=search.wanted, forward=search.forward)
            chosen, of_run = spread(begin, end - begin)
        if chosen.size:
            yield Piece(rows, runs.names, file.group, 0, chosen.size, chosen, series[part][of_run])


def _cut(rows: Rows, file: DataFile, series: Numbers, search: Search, window: Window) -> tuple[Numbers, Numbers]:
    """The rows of these series that are in the window and beyond the place; the series are in the order of names."""
    spec, place, names = search.spec, search.place, file.runs.names
    begin, end = file.runs.first[series], file.runs.last[series]
    first, last = reached(rows.times, begin, end, window.low), reached(rows.times, begin, end, window.high)
    if place is None or not file.min_ms <= place.at_ms <= file.max_ms:
        return first, last
    before, beyond = (reached(rows.times, begin, end, place.at_ms + after) for after in (0, 1))
    own = bisect_left(series, place.run, key=lambda number: run_of(spec, names[number], file.group))
    cut = np.where(np.arange(series.size) < own, beyond, before)
    if own < series.size and run_of(spec, names[series[own]], file.group) == place.run:
        same = int(before[own]), int(beyond[own])
        if spec.within_time:
            same = rows_at(spec, rows.frame, place.rest, first=same[0], last=same[1])
        cut[own] = same[1] if window.forward else same[0]
    return (np.maximum(first, cut), last) if window.forward else (first, np.minimum(last, cut))


def _nearest(times: Numbers, first: Numbers, last: Numbers, *, wanted: int, forward: bool) -> tuple[Numbers, Numbers]:
    """The runs cut so that they hold the `wanted` nearest rows of all, and few besides.

    How far those reach is estimated by a share of each run: no more rows are looked at than are wanted, several times.
    """
    count = last - first
    if not count.size or int(count.sum()) <= wanted:
        return first, last
    share = -(-2 * wanted // count.size)
    while True:
        taken = np.minimum(count, share)
        if int(taken.sum()) >= wanted:
            numbers, _ = spread(first if forward else last - taken, taken)
            edge_ms = furthest(times[numbers], wanted=wanted, forward=forward)
            begin = first if forward else reached(times, first, last, edge_ms)
            end = reached(times, first, last, edge_ms + 1) if forward else last
            if share >= wanted or int((end - begin).sum()) <= _SPARE * wanted:
                most = np.minimum(end - begin, wanted)  # where many rows have the time of the edge
                return (begin, begin + most) if forward else (end - most, end)
        share *= _SPARE
