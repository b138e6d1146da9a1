"""Pieces of files put together to a page, in the order of pages."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from api.engine.datafile import Rows
from api.engine.selection.pieces import Piece, furthest, placed
from api.engine.selection.query import Position, RowQuery, RowsPage
from api.engine.selection.runs import Numbers
from datahub_assets.datasets.spec import DatasetSpec


def nearest(pieces: Sequence[Piece], *, wanted: int, forward: bool) -> tuple[list[Piece], int]:
    """Pieces of at least `wanted` rows, cut to the times of the nearest ones, and the furthest of those times.

    Rows of that time all stay: which of them count is decided when the page is made.
    """
    total = sum(piece.count for piece in pieces)
    times = np.concatenate([piece.times for piece in pieces]) if len(pieces) > 1 else pieces[0].times
    edge = furthest(times, wanted=wanted, forward=forward)
    if total == wanted:
        return list(pieces), edge
    kept = [piece.within(edge, forward=forward) for piece in pieces]
    return [piece for piece in kept if piece.count], edge


def page_of(spec: DatasetSpec, query: RowQuery, pieces: Sequence[Piece], *, forward: bool) -> RowsPage:
    """The rows of the pieces in the order of the query, at most as many as it allows."""
    columns = list(dict.fromkeys((*query.columns, *spec.page_order)))
    if not pieces:
        schema = spec.polars_schema()
        return RowsPage(pl.DataFrame(schema={name: schema[name] for name in query.columns}), None)
    frame = _in_order(spec, pieces, columns)
    place = None
    if frame.height > query.limit:
        frame = frame.head(query.limit) if forward else frame.tail(query.limit)
        place = _position(spec, frame, -1 if forward else 0)
    return RowsPage((frame.reverse() if query.descending else frame)[list(query.columns)], place)


def _position(spec: DatasetSpec, frame: pl.DataFrame, row: int) -> Position:
    """The position of a row of a frame that has the columns of `page_order`."""
    return tuple(placed(frame.get_column(name)[row]) for name in spec.page_order)


def _in_order(spec: DatasetSpec, pieces: Sequence[Piece], columns: list[str]) -> pl.DataFrame:
    # Columns by index, once, and not by `select`, which would go through the query planner: both cost more than rows.
    if all(piece.of_series is None for piece in pieces):
        if len(pieces) == 1:
            return pieces[0].frame[columns]
        times = [piece.times for piece in pieces]
        ordered = sorted(range(len(pieces)), key=lambda number: int(times[number][0]))
        if all(times[one][-1] < times[two][0] for one, two in pairwise(ordered)):
            return pl.concat([pieces[number].frame for number in ordered])[columns]
    return _sorted(spec, pieces, columns)


def _sorted(spec: DatasetSpec, pieces: Sequence[Piece], columns: list[str]) -> pl.DataFrame:
    """The rows of pieces that overlap in time; they are taken file by file, as pieces may be many and small."""
    of_file: defaultdict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        of_file[id(piece.rows)].append(piece)
    frames = [_taken(together[0].rows, together, columns) for together in of_file.values()]
    frame = pl.concat(frames, rechunk=len(frames) > 1)
    if spec.within_time:
        return frame.sort(*spec.page_order)
    taken = [piece for together in of_file.values() for piece in together]
    return frame[np.lexsort((_ranks(taken), np.concatenate([piece.times for piece in taken])))]


def _ranks(pieces: Sequence[Piece]) -> Numbers:
    """Of each row of the pieces the rank of its series and group, by which rows of one time are in order."""
    series = {name: rank for rank, name in enumerate(sorted(set().union(*(piece.series for piece in pieces))))}
    groups = {name: rank for rank, name in enumerate(sorted({piece.group or "" for piece in pieces}))}
    found = []
    for piece in pieces:
        ranks = np.array([series[name] for name in piece.series]) * len(groups) + groups[piece.group or ""]
        found.append(np.repeat(ranks, piece.count) if piece.of_series is None else ranks[piece.of_series])
    return np.concatenate(found)


def _taken(rows: Rows, pieces: Sequence[Piece], columns: list[str]) -> pl.DataFrame:
    """The rows of pieces of one file."""
    return rows.frame[columns][np.concatenate([piece.numbers for piece in pieces])]
