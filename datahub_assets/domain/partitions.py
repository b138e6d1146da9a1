"""Which file of a dataset repo a row belongs in, and which files change when rows arrive or a window rolls.

Pure: files are frames here, fetched through a function the caller hands in; no bytes, no Hub, no clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from datahub_assets.domain.datasets import ROLL_DELAY_MS, DatasetSpec, LiveStyle
from datahub_assets.domain.rows import merge, overlay, supersede

DATA_FOLDER: Final = "data/"
OPEN_NAME: Final = "open.parquet"
TODAY_NAME: Final = "today.parquet"
LIVE_FOLDER: Final = "live/"

_PATH: Final = "__path"
Files = Mapping[str, pl.DataFrame]
Load = Callable[[str], pl.DataFrame | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit has to do.

    Attributes:
        writes: new content by path.
        deletes: paths that lost all their rows.
        changed: rows that the Hub does not hold in this form yet.
        replaced: the versions the Hub held before, of those of `changed` that it knew.
        rows_added: by how many rows the dataset grows.
    """

    writes: Files
    deletes: tuple[str, ...]
    changed: pl.DataFrame
    replaced: pl.DataFrame
    rows_added: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not self.writes and not self.deletes


def is_small(spec: DatasetSpec, path: str) -> bool:
    """Whether this is a file of the live window or of forming rows: few rows, rewritten or folded soon."""
    if not path.startswith(DATA_FOLDER) or not path.endswith(".parquet"):
        return False
    if spec.live is LiveStyle.APPEND:
        return f"/{LIVE_FOLDER}" in path
    return path.rsplit("/", 1)[-1] in {OPEN_NAME, TODAY_NAME}


def is_data(path: str) -> bool:
    """Whether the path holds rows of the main table."""
    return path.startswith(DATA_FOLDER) and path.endswith(".parquet")


def live_name(now_ms: int) -> str:
    """Name of the live file of a publish in this minute (UTC)."""
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC):%H%M}.parquet"


def window_start_at(spec: DatasetSpec, *, now_ms: int, newest: int | None, reached: int) -> int:
    """First millisecond of the live window: it follows the clock, but neither back nor away from the data.

    Args:
        newest: the newest timestamp there is; a clock that is a year ahead cannot push the window past it.
        reached: the window start a commit already used, by this or another writer.
    """
    trusted = now_ms if newest is None else min(now_ms, newest + spec.window_ms + ROLL_DELAY_MS)
    return max(spec.window_start(trusted), reached)


def plan(spec: DatasetSpec, *, small: Files, new: pl.DataFrame, window_start: int, live: str, load: Load) -> Plan:
    """Merge `new` rows into the files and move the rows that left the live window into sealed files.

    Afterwards, as before, each key is in one file: placement depends on the row and `window_start` alone, and a live
    row stays in the file that has it.

    Args:
        small: content of all files for which `is_small` holds.
        live: name of the live file for rows the Hub does not know yet (`live_name`).
        load: content of a sealed file, None when there is no such file.
    """
    changes, replaced = _against_small(spec, small=small, new=new)
    sealed = {path: load(path) for path in _sealed_paths(spec, changes, window_start=window_start)}
    changes = _without_late_forming(spec, changes, sealed=sealed, window_start=window_start)
    rows = _placed(spec, small=small, changes=changes, window_start=window_start, live=live)
    after = {str(path): frame.drop(_PATH) for (path,), frame in rows.partition_by(_PATH, as_dict=True).items()}

    writes: dict[str, pl.DataFrame] = {}
    deletes = tuple(path for path in small if path not in after)
    grown = -sum(small[path].height for path in deletes)
    settled = changes
    for path, frame in sorted(after.items()):
        if is_small(spec, path):
            content, before = merge(spec, [frame]), small.get(path)
        else:
            before = sealed[path] if path in sealed else load(path)
            stored = _nothing(spec) if before is None else before
            moved = supersede(spec, stored=stored, incoming=frame)
            content = overlay(spec, stored=stored, changes=moved)
            settled, was = _settled(spec, settled, path_rows=frame, moved=moved, stored=stored)
            replaced = pl.concat([replaced, was])
        if before is None or not content.equals(before):
            writes[path] = content
            grown += content.height - (0 if before is None else before.height)
    return Plan(writes=writes, deletes=deletes, changed=settled, replaced=replaced, rows_added=grown)


def _nothing(spec: DatasetSpec) -> pl.DataFrame:
    return pl.DataFrame(schema=spec.polars_schema())


def _against_small(spec: DatasetSpec, *, small: Files, new: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The new rows that matter beside the small files, and the versions they replace there."""
    held = pl.concat([_nothing(spec), *(frame.select(spec.column_names) for frame in small.values())])
    changes = supersede(spec, stored=held, incoming=new)
    return changes, held.join(changes, on=list(spec.key), how="semi")


def _settled(
    spec: DatasetSpec, changes: pl.DataFrame, *, path_rows: pl.DataFrame, moved: pl.DataFrame, stored: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`changes` without those the sealed file holds already, and the sealed versions that the others replace."""
    key = list(spec.key)
    known = path_rows.join(moved, on=key, how="anti")
    left = changes.join(known, on=key, how="anti")
    return left, stored.select(spec.column_names).join(left.join(moved, on=key, how="semi"), on=key, how="semi")


def _sealed_path(spec: DatasetSpec) -> pl.Expr:
    """Path of the sealed file a row belongs in once it left the window."""
    moment = pl.col("timestamp")
    if spec.group is None:
        return pl.lit(DATA_FOLDER) + moment.dt.strftime(spec.sealed_period("").strftime) + pl.lit(".parquet")
    default = moment.dt.strftime(spec.sealed_period("*").strftime)
    name = default
    for group, period in spec.sealed:
        if group != "*":
            name = pl.when(pl.col(spec.group) == group).then(moment.dt.strftime(period.strftime)).otherwise(name)
    return _folder(spec) + name + pl.lit(".parquet")


def _folder(spec: DatasetSpec) -> pl.Expr:
    if spec.group is None:
        return pl.lit(DATA_FOLDER)
    return pl.lit(DATA_FOLDER) + pl.col(spec.group) + pl.lit("/")


def _past(window_start: int) -> pl.Expr:
    return pl.col("timestamp").dt.epoch("ms") < window_start


def _sealed_paths(spec: DatasetSpec, changes: pl.DataFrame, *, window_start: int) -> list[str]:
    """Sealed files that new rows concern."""
    return sorted(changes.filter(_past(window_start)).select(_sealed_path(spec).alias(_PATH))[_PATH].unique().to_list())


def _without_late_forming(
    spec: DatasetSpec, changes: pl.DataFrame, *, sealed: Mapping[str, pl.DataFrame | None], window_start: int
) -> pl.DataFrame:
    """Drop forming rows of the past whose closed version rests in a sealed file already."""
    if not spec.has_forming_rows:
        return changes
    closed = [frame.select(spec.key) for frame in sealed.values() if frame is not None]
    if not closed:
        return changes
    forming = changes.filter(~pl.col("closed") & _past(window_start))
    late = forming.join(pl.concat(closed), on=list(spec.key), how="semi")
    return changes.join(late, on=list(spec.key), how="anti", maintain_order="left")


def _placed(spec: DatasetSpec, *, small: Files, changes: pl.DataFrame, window_start: int, live: str) -> pl.DataFrame:
    """All rows of the small files and all changes, each with the path it belongs in now."""
    columns = list(spec.column_names)
    tagged = [frame.select(columns).with_columns(pl.lit(path).alias(_PATH)) for path, frame in small.items()]
    held = pl.concat([_nothing(spec).with_columns(pl.lit(None, dtype=pl.String).alias(_PATH)), *tagged])
    key = list(spec.key)
    arrived = changes.select(columns).join(held.select([*key, _PATH]), on=key, how="left")
    rows = pl.concat([held.join(arrived, on=key, how="anti"), arrived])
    if spec.live is LiveStyle.APPEND:
        current = pl.coalesce(pl.col(_PATH), _folder(spec) + pl.lit(LIVE_FOLDER + live))
    else:
        current = _folder(spec) + pl.lit(TODAY_NAME)
    home = pl.when(_past(window_start)).then(_sealed_path(spec)).otherwise(current)
    if spec.has_forming_rows:
        home = pl.when(~pl.col("closed")).then(_folder(spec) + pl.lit(OPEN_NAME)).otherwise(home)
    return rows.with_columns(home.alias(_PATH))
