"""Which files of a dataset repo change when rows arrive or a window rolls.

Pure: files are frames here, fetched through a function the caller hands in; no bytes, no Hub, no clock.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from datahub_assets.domain.files.data_files import LIVE_FOLDER, is_small
from datahub_assets.domain.files.partitions import data_folder, forming_path, home_of, is_final, is_past, may_hold
from datahub_assets.domain.rows import merge, supersede
from datahub_assets.domain.tables import TableSpec

Files = Mapping[str, pl.DataFrame]
Load = Callable[[str], pl.DataFrame]
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
    sealed: Collection[str] = (),
    also: Iterable[str] = (),
) -> Plan:
    """Merge `new` rows into the files, and move on the rows whose window or period is over.

    Afterwards, as before, each key is in one file: placement depends on the row and `window_start` alone, but that a
    live row stays in the file that has it. Sealed files are read only where they may have a row of `new` or one that
    moves on; all that is in those is placed anew, so a file of an earlier layout is split when it is touched.

    Args:
        small: content of all files for which `is_small` holds.
        live: name of the live file for rows the Hub does not know yet (`live_name`).
        load: content of a sealed file.
        sealed: the sealed files there are.
        also: those of them to place anew as well: windows to fold, and where `keys_move` those that have keys of `new`;
            more of them do no harm.
    """
    before = _with_sealed(spec, small=small, new=new, window_start=window_start, load=load, sealed=sealed, also=also)
    held = _tagged(spec, before)
    stored = held.select(spec.column_names).join(new, on=list(spec.key), how="semi")
    changed = supersede(spec, stored=stored, incoming=new)
    after = _placed(spec, held=held, changed=changed, window_start=window_start, live=live)
    deletes = tuple(sorted(before.keys() - after.keys()))
    contents = {path: merge(spec, [rows]) for path, rows in sorted(after.items())}
    writes = {path: rows for path, rows in contents.items() if not _same(rows, before.get(path))}
    return Plan(
        writes=writes,
        deletes=deletes,
        changed=changed,
        replaced=stored.join(changed, on=list(spec.key), how="semi"),
        prevailing=supersede(spec, stored=new, incoming=stored),
        rows_added=sum(map(_height, writes.values())) - sum(_height(before.get(path)) for path in (*writes, *deletes)),
    )


def _with_sealed(
    spec: TableSpec,
    *,
    small: Files,
    new: pl.DataFrame,
    window_start: int,
    load: Load,
    sealed: Collection[str],
    also: Iterable[str],
) -> dict[str, pl.DataFrame]:
    """The small files, and the sealed ones in which a row may be or come to be that is new or moves on."""
    past = is_past(spec, window_start)
    moving = [frame.filter(past & is_final(spec)).select(spec.column_names) for frame in small.values()]
    # New rows that are not final as well: their final version may rest in a sealed file.
    rows = _together(spec, new.filter(past), *moving)
    found = dict(small)
    wanted = {*also, *may_hold(spec, rows).intersection(sealed)}
    while paths := sorted(wanted - found.keys()):
        frames = {path: load(path) for path in paths}
        found |= frames
        wanted = may_hold(spec, _together(spec, *frames.values())).intersection(sealed)
    return found


def _together(spec: TableSpec, *frames: pl.DataFrame) -> pl.DataFrame:
    """All these rows in one frame, which may be empty."""
    empty = pl.DataFrame(schema=spec.polars_schema())
    return pl.concat([empty, *(frame.select(spec.column_names) for frame in frames)])


def _same(content: pl.DataFrame, before: pl.DataFrame | None) -> bool:
    return before is not None and content.equals(before)


def _height(frame: pl.DataFrame | None) -> int:
    return 0 if frame is None else frame.height


def _tagged(spec: TableSpec, files: Files) -> pl.DataFrame:
    """The rows of all these files; those of small ones with the path they are in."""
    empty = _together(spec).with_columns(pl.lit(None, dtype=pl.String).alias(_PATH))
    paths = {path: path if is_small(spec, path) else None for path in files}
    return pl.concat(
        [
            empty,
            *(
                _together(spec, frame).with_columns(pl.lit(paths[path], dtype=pl.String).alias(_PATH))
                for path, frame in files.items()
            ),
        ]
    )


def _placed(
    spec: TableSpec, *, held: pl.DataFrame, changed: pl.DataFrame, window_start: int, live: str
) -> dict[str, pl.DataFrame]:
    """All rows of these files and all changed ones, by the path they belong in now."""
    key = list(spec.key)
    arrived = changed.select(spec.column_names).join(held.select([*key, _PATH]), on=key, how="left")
    rows = pl.concat([held.join(arrived, on=key, how="anti"), arrived])
    stays = pl.when(pl.col(_PATH) != forming_path(spec)).then(pl.col(_PATH))
    current = pl.coalesce(stays, data_folder(spec) + pl.lit(LIVE_FOLDER + live))
    home = home_of(spec, window_start=window_start, live=current)
    homes = rows.with_columns(home.alias(_PATH)).partition_by(_PATH, as_dict=True, include_key=False)
    return {str(path): frame for (path,), frame in homes.items()}
