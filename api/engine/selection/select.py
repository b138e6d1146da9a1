"""The page of rows a query means: slices of sorted files, newest or oldest first, no scan.

Rows are returned as polars frames.
"""

from collections.abc import Iterable
from itertools import chain

from api.engine.datafile import DataFile
from api.engine.selection.pages import nearest, page_of
from api.engine.selection.pieces import Piece, Window, pieces_of
from api.engine.selection.positions import Place
from api.engine.selection.query import RowQuery, SelectedRows
from api.engine.snapshot import Snapshot


def select(snapshot: Snapshot, query: RowQuery, *, resident_only: bool = False) -> SelectedRows:
    """The page of rows a query means. Its cost depends on the rows it returns, not on how much history there is.

    With `where`, it depends on the rows that must be looked at until as many as wanted are found.

    Raises:
        NotResident: `resident_only` is set and a file is needed whose rows are not mapped yet.
    """
    spec = snapshot.spec
    place = None if query.after is None else Place.of(spec, query.after)
    window = Window(query, place)
    pieces: list[Piece] = []
    total = 0
    for file in _files(snapshot, query):
        if window.is_before(file):
            break
        if not window.overlaps(file):
            continue
        found = list(pieces_of(file, query, spec=spec, window=window, place=place, resident_only=resident_only))
        pieces += found
        total += sum(piece.count for piece in found)
        if found and total >= query.wanted:
            pieces, edge_ms = nearest(pieces, wanted=query.wanted, forward=query.forward)
            total = sum(piece.count for piece in pieces)
            window.reach(edge_ms)
    return page_of(spec, query, pieces)


def _files(snapshot: Snapshot, query: RowQuery) -> Iterable[DataFile]:
    """The files of the queried groups: with the newest rows first, or with the oldest ones first when `forward`."""
    groups = snapshot.groups if query.groups is None else query.groups
    of_groups = [snapshot.groups.get(group, ()) for group in groups]
    if query.forward:
        return sorted(chain(*of_groups), key=lambda file: file.min_ms)
    if len(of_groups) == 1:
        return of_groups[0]
    return sorted(chain(*of_groups), key=lambda file: file.max_ms, reverse=True)
