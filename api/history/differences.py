"""What changed in the rows of a dataset between two commits. Files both commits hold are not looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from api.engine.datafile import DataFile
from api.engine.snapshot import Snapshot
from api.http.errors import DiffTooLarge
from datahub_assets.datasets.spec import DatasetSpec

MOST_ROWS: Final = 5_000_000
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
        DiffTooLarge: files of more than `MOST_ROWS` rows differ.
    """
    spec = later.spec
    kept = {file.content_id for file in earlier.data} & {file.content_id for file in later.data}
    old = _rows(spec, [file for file in earlier.data if file.content_id not in kept])
    new = _rows(spec, [file for file in later.data if file.content_id not in kept])
    key = list(spec.key)
    both = old.join(new, on=key, how="inner", suffix=_SUFFIX)
    values = [name for name in spec.column_names if name not in spec.key]
    moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name + _SUFFIX)) for name in values)
    changed = both.filter(moved).sort(key)
    return Difference(
        added=new.join(old, on=key, how="anti").sort(key),
        removed=old.join(new, on=key, how="anti").sort(key),
        before=changed.select(spec.column_names),
        after=changed.select(*key, *(pl.col(name + _SUFFIX).alias(name) for name in values)).select(spec.column_names),
    )


def _rows(spec: DatasetSpec, files: Sequence[DataFile]) -> pl.DataFrame:
    if sum(file.rows for file in files) > MOST_ROWS:
        raise DiffTooLarge(f"files of more than {MOST_ROWS} rows differ: compare commits that are closer to each other")
    return pl.concat([pl.DataFrame(schema=spec.polars_schema()), *(file.open().frame for file in files)])
