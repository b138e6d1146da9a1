"""The newest row of each series of a snapshot, found in the files' indexes.

What is done with the rows is not known here.
"""

from collections import defaultdict

import polars as pl

from api.engine.datafile import DataFile
from api.engine.snapshot import Snapshot


def latest_rows(snapshot: Snapshot, *, group: str | None, max_age_ms: int) -> pl.DataFrame:
    """One row per series: its newest, if it is not older than `max_age_ms` before the newest row of all.

    All columns, in no particular order. Computed once per snapshot and age.
    """
    key = ("latest", group, max_age_ms)
    known = snapshot.memory.get(key)
    if isinstance(known, pl.DataFrame):
        return known
    frame = snapshot.memory[key] = _latest_rows(snapshot, group=group, max_age_ms=max_age_ms)
    return frame


def _latest_rows(snapshot: Snapshot, *, group: str | None, max_age_ms: int) -> pl.DataFrame:
    files = snapshot.groups.get(group, ())
    oldest_ms = max((file.max_ms for file in files), default=0) - max_age_ms
    newest: dict[str, tuple[int, DataFile, int]] = {}
    for file in files:
        if file.max_ms < oldest_ms:
            break  # files are ordered by their newest row
        for name, span in file.index.spans.items():
            if span.max_ms >= oldest_ms and (name not in newest or span.max_ms > newest[name][0]):
                newest[name] = (span.max_ms, file, span.first + span.rows - 1)
    positions: defaultdict[DataFile, list[int]] = defaultdict(list)
    for _, file, row in newest.values():
        positions[file].append(row)
    frames = [file.open().frame[sorted(rows)] for file, rows in positions.items()]
    return pl.concat(frames) if frames else pl.DataFrame(schema=snapshot.spec.polars_schema())
