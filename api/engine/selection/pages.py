"""Pieces of files put together to a page, in the order of pages."""

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
import polars as pl

from api.engine.datafile import Rows
from api.engine.selection.pieces import Piece, placed
from api.engine.selection.query import Position, RowQuery, RowsPage
from datahub_assets.datasets.spec import DatasetSpec


def nearest(pieces: Sequence[Piece], *, wanted: int, forward: bool) -> tuple[list[Piece], int]:
    """Pieces of at least `wanted` rows, cut to the times of the nearest ones, and the furthest of those times.

    Rows of that time all stay: which of them count is decided when the page is made.
    """
    total = sum(piece.count for piece in pieces)
    times = np.concatenate([piece.times for piece in pieces]) if len(pieces) > 1 else pieces[0].times
    nth = wanted - 1 if forward else total - wanted
    edge = int(np.partition(times, nth)[nth])
    if total == wanted:
        return list(pieces), edge
    kept = []
    for piece in pieces:
        skipped = 0 if forward else int(np.searchsorted(piece.times, edge))
        count = int(np.searchsorted(piece.times, edge, side="right")) if forward else piece.count - skipped
        if count:
            kept.append(piece.part(skipped, count))
    return kept, edge


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
    if len(pieces) == 1:
        return pieces[0].frame[columns]
    times = [piece.times for piece in pieces]
    ordered = sorted(range(len(pieces)), key=lambda number: int(times[number][0]))
    if all(times[one][-1] < times[two][0] for one, two in pairwise(ordered)):
        return reduce(pl.DataFrame.vstack, (pieces[number].frame for number in ordered))[columns]
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
    rank = {run: number for number, run in enumerate(sorted({piece.run for piece in taken}))}
    ranks = np.repeat([rank[piece.run] for piece in taken], [piece.count for piece in taken])
    return frame[np.lexsort((ranks, np.concatenate([piece.times for piece in taken])))]


def _taken(rows: Rows, pieces: Sequence[Piece], columns: list[str]) -> pl.DataFrame:
    """The rows of pieces of one file."""
    return rows.frame[columns][np.concatenate([piece.numbers for piece in pieces])]
