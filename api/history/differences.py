"""What changed in the rows of a dataset between two commits. Files both commits hold are not looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from api.engine.datafile import DataFile
from api.engine.snapshot import Snapshot
from api.http.disconnects import stop_if_left
from api.http.errors import DiffTooLarge
from datahub_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 5_000_000
_PART_ROWS: Final = 500_000
"""So many are compared at once, between which the work can be ended."""
_SUFFIX: Final = "\0after"


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows only the later commit has, rows only the earlier one has, and rows whose values differ: as before, as after.

    All in the order of the spec's key; `before` and `after` row by row.
    """

    added: pl.DataFrame
    removed: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame


def difference(earlier: Snapshot, later: Snapshot) -> Difference:
    """What changed from one commit to another of the same dataset; it may go back in time.

    Raises:
        DiffTooLarge: files of more than `MOST_ROWS` rows differ.        ClientDisconnected: as `stop_if_left`.
    """
    spec = later.spec
    kept = {file.content_id for file in earlier.data} & {file.content_id for file in later.data}
    old = _rows(spec, [file for file in earlier.data if file.content_id not in kept])
    new = _rows(spec, [file for file in later.data if file.content_id not in kept])
    parts = [_compared(spec, *part) for part in _in_parts(spec, old, new)]
    added, removed, changed = (_together(spec, frames) for frames in zip(*parts, strict=True))
    values = [pl.col(name if name in spec.key else name + _SUFFIX).alias(name) for name in spec.column_names]
    return Difference(
        added=added, removed=removed, before=changed.select(spec.column_names), after=changed.select(values)
    )


def _rows(spec: DatasetSpec, files: Sequence[DataFile]) -> pl.DataFrame:
    if sum(file.rows for file in files) > MOST_ROWS:
        raise DiffTooLarge(f"files of more than {MOST_ROWS} rows differ: compare commits that are closer to each other")
    frames = [pl.DataFrame(schema=spec.polars_schema())]
    for file in files:
        stop_if_left()
        frames.append(file.open().frame)
    return pl.concat(frames)


def _in_parts(spec: DatasetSpec, old: pl.DataFrame, new: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The same rows in parts that can be compared one by one: rows of one key are in one part."""
    count = -(-max(old.height, new.height) // _PART_ROWS)
    if count <= 1:
        yield old, new
        return
    parts = [frame.select(spec.key).hash_rows() % count for frame in (old, new)]
    for number in range(count):
        yield old.filter(parts[0] == number), new.filter(parts[1] == number)


def _compared(spec: DatasetSpec, old: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Rows only the new ones have, rows only the old ones have, and those whose values differ, with both values."""
    key, values = list(spec.key), [name for name in spec.column_names if name not in spec.key]
    stop_if_left()
    both = old.join(new, on=key, how="inner", suffix=_SUFFIX)
    changed = both.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name + _SUFFIX)) for name in values))
    stop_if_left()
    return new.join(old, on=key, how="anti"), old.join(new, on=key, how="anti"), changed


def _together(spec: DatasetSpec, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    stop_if_left()
    return pl.concat(frames).sort(spec.key)
