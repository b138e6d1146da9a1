"""The newest row of each series of a snapshot, found in the files' indexes."""

from collections import defaultdict
from dataclasses import dataclass

import polars as pl

from api.engine.datafile import DataFile
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.disconnects import stop_if_left
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach

_KEY = "latest"
_NewestRow = tuple[int, list[tuple[DataFile, int]]]
"""The time of a series' newest row, and where it is; more than one place where several rows have that time."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest rows that are not older than `max_age_ms`."""

    max_age_ms: int
    frame: pl.DataFrame


def latest_rows(snapshot: Snapshot, *, max_age_ms: int | None = None, resident_only: bool = False) -> pl.DataFrame:
    """One row per series: its newest, if it is not older than `max_age_ms` before the newest row of all.

    All columns, the largest first; of a dataset whose `newest` is NewestOfEach, which says by what, and how old rows
    may be where the caller does not. A snapshot keeps one such frame, of the greatest age anyone asked for, and
    smaller ages are cut from it: callers choose the age, and a frame for each would let them fill the memory. It is not
    one of all series there ever were, since old files would have to be read for those nobody asks for.

    Raises:
        NotResident: `resident_only` is set and the rows must be looked up first.
        ValueError: the dataset's `newest` is another.
    """
    spec, rule = snapshot.spec, snapshot.spec.newest
    if not isinstance(rule, NewestOfEach) or spec.series is None:
        raise ValueError(f"{spec.name} does not rank the newest rows of its series")
    wanted_ms = rule.max_age_s * 1000 if max_age_ms is None else max_age_ms
    kept = snapshot.memory.get(_KEY)
    if not isinstance(kept, _Kept) or kept.max_age_ms < wanted_ms:
        if resident_only:
            raise NotResident
        newest = _newest(spec, spec.series, _places(snapshot, oldest_ms=_oldest(snapshot, wanted_ms)))
        frame = newest.sort(rule.rank, spec.series, descending=[True, False], nulls_last=True)
        kept = snapshot.memory[_KEY] = _Kept(wanted_ms, frame)
    if kept.max_age_ms == wanted_ms:
        return kept.frame
    return kept.frame.filter(kept.frame[spec.time].dt.epoch("ms") >= _oldest(snapshot, wanted_ms))


def _oldest(snapshot: Snapshot, max_age_ms: int) -> int:
    return (snapshot.newest_ms or 0) - max_age_ms


def _places(snapshot: Snapshot, *, oldest_ms: int) -> dict[str, _NewestRow]:
    """Where the newest row of each series is; in every file it is the last one of its span."""
    newest: dict[str, _NewestRow] = {}
    for file in snapshot.groups.get(None, ()):
        if file.max_ms < oldest_ms:
            break  # files are ordered by their newest row
        for name, span in file.index.spans.items():
            at_ms, known = span.max_ms, newest.get(name)
            if at_ms < oldest_ms or (known is not None and at_ms < known[0]):
                continue
            place = (file, span.first + span.rows - 1)
            if known is None or at_ms > known[0]:
                newest[name] = (at_ms, [place])
            else:
                known[1].append(place)
    return newest


def _newest(spec: DatasetSpec, series: str, places: dict[str, _NewestRow]) -> pl.DataFrame:
    """The rows there; of several that one series has of one time, the last."""
    of_file: defaultdict[DataFile, list[int]] = defaultdict(list)
    for _, tied in places.values():
        for file, row in tied:
            of_file[file].append(row)
    frames = []
    for file, rows in of_file.items():
        stop_if_left()
        frames.append(file.open().frame[sorted(rows)])
    found = pl.concat(frames) if frames else pl.DataFrame(schema=spec.polars_schema())
    if found.height == len(places):
        return found
    return found.sort(*spec.sort).unique(series, keep="last", maintain_order=True)
