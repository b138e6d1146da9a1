"""Which files of a dataset repo change when rows arrive or a window rolls.

Pure: files are frames here, fetched through a function the caller hands in; no bytes, no Hub, no clock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from datahub_assets.domain.partitions import (
    LIVE_FOLDER,
    OPEN_NAME,
    TODAY_NAME,
    data_folder,
    is_past,
    is_small,
    keys_move,
    sealed_path,
    sealed_paths,
)
from datahub_assets.domain.rows import merge, overlay, supersede
from datahub_assets.domain.tables import LiveStyle, TableSpec

Files = Mapping[str, pl.DataFrame]
Load = Callable[[str], pl.DataFrame | None]
_PATH: Final = "__path"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit has to do.

    Attributes:
        writes: new content by path.
        deletes: paths that lost all their rows.
        changed: rows that the Hub does not hold in this form yet.
        replaced: the versions the Hub held before, of those of `changed` that it knew.
        prevailing: the Hub's versions of new rows that say something else, and are the better ones by the merge rule.
        rows_added: by how many rows the dataset grows.
    """

    writes: Files
    deletes: tuple[str, ...]
    changed: pl.DataFrame
    replaced: pl.DataFrame
    prevailing: pl.DataFrame
    rows_added: int


def plan(
    spec: TableSpec,
    *,
    small: Files,
    new: pl.DataFrame,
    window_start: int,
    live: str,
    load: Load,
    held_in: Iterable[str] = (),
) -> Plan:
    """Merge `new` rows into the files and move the rows that left the live window into sealed files.

    Afterwards, as before, each key is in one file: placement depends on the row and `window_start` alone, a live row
    stays in the file that has it, and a row that has another time now leaves the sealed file it was in.

    Args:
        small: content of all files for which `is_small` holds.
        live: name of the live file for rows the Hub does not know yet (`live_name`).
        load: content of a sealed file, None when there is no such file.
        held_in: the sealed files that have keys of `new`, where `keys_move`; more of them do no harm.
    """
    # Rows of the past that are not final as well: their final version may rest in a sealed file.
    past = sealed_paths(spec, new.filter(is_past(spec, window_start))).unique()
    sealed = {path: load(path) for path in sorted({*past, *held_in})}
    stored = _together(spec, *small.values(), *sealed.values()).join(new, on=list(spec.key), how="semi")
    changed = supersede(spec, stored=stored, incoming=new)
    after = _placed(spec, small=small, changed=changed, window_start=window_start, live=live)
    sealed |= {path: load(path) for path in after if not is_small(spec, path) and path not in sealed}
    before = {**small, **sealed}
    left = _left(spec, sealed, after=after, changed=changed) if keys_move(spec) else sealed
    touched = sorted({*after, *(path for path in left if left[path] is not before[path])})
    contents = {
        path: merge(spec, [after[path]]) if is_small(spec, path) else _sealed(spec, left[path], after.get(path))
        for path in touched
    }
    gone = {path for path in contents if contents[path].is_empty()} | (small.keys() - after.keys())
    writes = {path: rows for path, rows in contents.items() if path not in gone and not _same(rows, before.get(path))}
    deletes = tuple(sorted(gone))
    return Plan(
        writes=writes,
        deletes=deletes,
        changed=changed,
        replaced=stored.join(changed, on=list(spec.key), how="semi"),
        prevailing=supersede(spec, stored=new, incoming=stored),
        rows_added=sum(map(_height, writes.values())) - sum(_height(before.get(path)) for path in (*writes, *deletes)),
    )


def _together(spec: TableSpec, *frames: pl.DataFrame | None) -> pl.DataFrame:
    """All these rows in one frame, which may be empty."""
    empty = pl.DataFrame(schema=spec.polars_schema())
    return pl.concat([empty, *(frame.select(spec.column_names) for frame in frames if frame is not None)])


def _left(
    spec: TableSpec, sealed: Mapping[str, pl.DataFrame | None], *, after: Files, changed: pl.DataFrame
) -> dict[str, pl.DataFrame | None]:
    """Sealed files without the rows that changed and belong elsewhere now."""
    left = dict(sealed)
    for path, frame in sealed.items():
        stays = after.get(path, changed.clear()).select(spec.key)
        gone = changed.select(spec.key).join(stays, on=list(spec.key), how="anti")
        if frame is not None and (rest := frame.join(gone, on=list(spec.key), how="anti")).height < frame.height:
            left[path] = rest
    return left


def _sealed(spec: TableSpec, before: pl.DataFrame | None, rows: pl.DataFrame | None) -> pl.DataFrame:
    """A sealed file with rows that arrive in it."""
    stored = _together(spec, before)
    if rows is None:
        return stored
    return overlay(spec, stored=stored, changes=supersede(spec, stored=stored, incoming=rows))


def _same(content: pl.DataFrame, before: pl.DataFrame | None) -> bool:
    return before is not None and content.equals(before)


def _height(frame: pl.DataFrame | None) -> int:
    return 0 if frame is None else frame.height


def _placed(
    spec: TableSpec, *, small: Files, changed: pl.DataFrame, window_start: int, live: str
) -> dict[str, pl.DataFrame]:
    """All rows of the small files and all changed ones, by the path they belong in now."""
    key = list(spec.key)
    tagged = [_together(spec, frame).with_columns(pl.lit(path).alias(_PATH)) for path, frame in small.items()]
    held = pl.concat([_together(spec).with_columns(pl.lit(None, dtype=pl.String).alias(_PATH)), *tagged])
    arrived = changed.select(spec.column_names).join(held.select([*key, _PATH]), on=key, how="left")
    rows = pl.concat([held.join(arrived, on=key, how="anti"), arrived])
    forming = data_folder(spec) + pl.lit(OPEN_NAME)
    if spec.live is LiveStyle.APPEND:
        held_live = pl.when(pl.col(_PATH) != forming).then(pl.col(_PATH))
        current = pl.coalesce(held_live, data_folder(spec) + pl.lit(LIVE_FOLDER + live))
    else:
        current = data_folder(spec) + pl.lit(TODAY_NAME)
    home = pl.when(is_past(spec, window_start)).then(sealed_path(spec)).otherwise(current)
    if spec.final is not None:
        home = pl.when(~pl.col(spec.final).fill_null(value=False)).then(forming).otherwise(home)
    homes = rows.with_columns(home.alias(_PATH)).partition_by(_PATH, as_dict=True, include_key=False)
    return {str(path): frame for (path,), frame in homes.items()}
