"""The newest row of each coin of a snapshot, found in the files' indexes."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import polars as pl

from api.engine.datafile import DataFile
from api.engine.selection import NotResident
from api.engine.snapshot import Snapshot

DEFAULT_MAX_AGE_S: Final = 24 * 3600

_KEY = "latest"


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest rows that are not older than `max_age_ms`."""

    max_age_ms: int
    frame: pl.DataFrame


def latest_rows(snapshot: Snapshot, *, max_age_ms: int, resident_only: bool = False) -> pl.DataFrame:
    """One row per coin: its newest, if it is not older than `max_age_ms` before the newest row of all.

    All columns, largest market cap first. A snapshot keeps one such frame, of the greatest age anyone asked for, and
    smaller ages are cut from it: callers choose the age, and a frame for each would let them fill the memory. It is not
    one of all coins there ever were, since old files would have to be read for those nobody asks for.

    Raises:
        NotResident: `resident_only` is set and the rows must be looked up first.
    """
    kept = snapshot.memory.get(_KEY)
    if not isinstance(kept, _Kept) or kept.max_age_ms < max_age_ms:
        if resident_only:
            raise NotResident
        kept = snapshot.memory[_KEY] = _Kept(
            max_age_ms, _latest_rows(snapshot, oldest_ms=_oldest(snapshot, max_age_ms))
        )
    if kept.max_age_ms == max_age_ms:
        return kept.frame
    return kept.frame.filter(kept.frame["timestamp"].dt.epoch("ms") >= _oldest(snapshot, max_age_ms))


def _oldest(snapshot: Snapshot, max_age_ms: int) -> int:
    return (snapshot.newest_ms or 0) - max_age_ms


def _latest_rows(snapshot: Snapshot, *, oldest_ms: int) -> pl.DataFrame:
    newest: dict[str, tuple[int, DataFile, int]] = {}
    for file in snapshot.groups.get(None, ()):
        if file.max_ms < oldest_ms:
            break  # files are ordered by their newest row
        for name, span in file.index.spans.items():
            if span.max_ms >= oldest_ms and (name not in newest or span.max_ms > newest[name][0]):
                newest[name] = (span.max_ms, file, span.first + span.rows - 1)
    positions: defaultdict[DataFile, list[int]] = defaultdict(list)
    for _, file, row in newest.values():
        positions[file].append(row)
    frames = [file.open().frame[sorted(rows)] for file, rows in positions.items()]
    found = pl.concat(frames) if frames else pl.DataFrame(schema=snapshot.spec.polars_schema())
    return found.sort("market_cap", "coin_id", descending=[True, False], nulls_last=True)
