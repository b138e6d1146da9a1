"""Which file of a dataset repo a row belongs in, and which files change when rows arrive or a window rolls.

Pure: files are frames here, fetched through a function the caller hands in; no bytes, no Hub, no clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from datahub_assets.domain.rows import merge, overlay, supersede
from datahub_assets.domain.tables import ROLL_DELAY_MS, LiveStyle, TableSpec
from datahub_assets.domain.times import utc_datetime

DATA_FOLDER: Final = "data/"
OPEN_NAME: Final = "open.parquet"
TODAY_NAME: Final = "today.parquet"
LIVE_FOLDER: Final = "live/"
LIVE_STAMP: Final = "%H%M"
SUFFIX: Final = ".parquet"

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
        prevailing: the Hub's versions of new rows that say something else, and are the better ones by the merge rule.
        rows_added: by how many rows the dataset grows.
    """

    writes: Files
    deletes: tuple[str, ...]
    changed: pl.DataFrame
    replaced: pl.DataFrame
    prevailing: pl.DataFrame
    rows_added: int


def is_small(spec: TableSpec, path: str) -> bool:
    """Whether this is a file of the live window or of forming rows: few rows, rewritten or folded soon."""
    folder, name = _split(path)
    if spec.live is LiveStyle.APPEND:
        return folder == DATA_FOLDER + LIVE_FOLDER and _is_stamped(name, LIVE_STAMP)
    return name in {OPEN_NAME, TODAY_NAME} and _group(spec, folder) is not None


def is_sealed(spec: TableSpec, path: str) -> bool:
    """Whether this is the file of a period that has passed."""
    folder, name = _split(path)
    group = _group(spec, folder)
    return group is not None and _is_stamped(name, spec.sealed_period(group).strftime)


def is_placed(spec: TableSpec, path: str) -> bool:
    """Whether rows of the main table are placed in such a file."""
    return is_small(spec, path) or is_sealed(spec, path)


def is_data(path: str) -> bool:
    """Whether readers take what is in this file for rows of the main table, as the globs of the card do."""
    return path.startswith(DATA_FOLDER) and path.endswith(SUFFIX)


def is_foreign(spec: TableSpec, path: str) -> bool:
    """Whether readers take this file for ours though no publish writes it: a copy, or somebody's own."""
    return is_data(path) and not is_placed(spec, path)


def live_name(now_ms: int) -> str:
    """Name of the live file of a publish in this minute (UTC)."""
    return f"{utc_datetime(now_ms):{LIVE_STAMP}}{SUFFIX}"


def window_start_at(spec: TableSpec, *, now_ms: int, newest: int | None, reached: int) -> int:
    """First millisecond of the live window: it follows the clock, but neither back nor away from the data.

    Args:
        newest: the newest timestamp there is; a clock that is a year ahead cannot push the window past it.
        reached: the window start a commit already used, by this or another writer.
    """
    trusted = now_ms if newest is None else min(now_ms, newest + spec.window_ms + ROLL_DELAY_MS)
    return max(spec.window_start(trusted), reached)


def sealed_paths(spec: TableSpec, rows: pl.DataFrame) -> pl.Series:
    """For each row the sealed file it belongs in, now or once its window has passed."""
    return rows.select(_sealed_path(spec).alias(_PATH))[_PATH]


def plan(spec: TableSpec, *, small: Files, new: pl.DataFrame, window_start: int, live: str, load: Load) -> Plan:
    """Merge `new` rows into the files and move the rows that left the live window into sealed files.

    Afterwards, as before, each key is in one file: placement depends on the row and `window_start` alone, and a live
    row stays in the file that has it.

    Args:
        small: content of all files for which `is_small` holds.
        live: name of the live file for rows the Hub does not know yet (`live_name`).
        load: content of a sealed file, None when there is no such file.
    """
    # Forming rows of the past as well: their closed version may rest in a sealed file.
    past = sealed_paths(spec, new.filter(_past(window_start))).unique().sort()
    sealed = {path: load(path) for path in past}
    stored = _together(spec, *small.values(), *sealed.values()).join(new, on=list(spec.key), how="semi")
    changed = supersede(spec, stored=stored, incoming=new)
    after = _placed(spec, small=small, changed=changed, window_start=window_start, live=live)
    sealed |= {path: load(path) for path in after if not is_small(spec, path) and path not in sealed}
    before = {**small, **sealed}
    contents = {
        path: merge(spec, [rows]) if is_small(spec, path) else _sealed(spec, before[path], rows)
        for path, rows in sorted(after.items())
    }
    writes = {path: content for path, content in contents.items() if not _same(content, before.get(path))}
    deletes = tuple(path for path in small if path not in after)
    return Plan(
        writes=writes,
        deletes=deletes,
        changed=changed,
        replaced=stored.join(changed, on=list(spec.key), how="semi"),
        prevailing=supersede(spec, stored=new, incoming=stored),
        rows_added=sum(map(_height, writes.values())) - sum(_height(before.get(path)) for path in (*writes, *deletes)),
    )


def _split(path: str) -> tuple[str, str]:
    """Folder (with its slash) and name of a file."""
    folder, slash, name = path.rpartition("/")
    return folder + slash, name


def _group(spec: TableSpec, folder: str) -> str | None:
    """Whose files are in this folder: a value of the spec's group, "" for all where there are none, None: nobody's."""
    if spec.group is None:
        return "" if folder == DATA_FOLDER else None
    group = folder.removeprefix(DATA_FOLDER).removesuffix("/")
    return group if folder == f"{DATA_FOLDER}{group}/" and group in spec.groups else None


def _is_stamped(name: str, pattern: str) -> bool:
    """Whether a file has exactly the name this pattern of strftime gives to some moment."""
    stem = name.removesuffix(SUFFIX)
    try:
        moment = datetime.strptime(stem, pattern).replace(tzinfo=UTC)
    except ValueError:
        return False
    return name == f"{moment.strftime(pattern)}{SUFFIX}"


def _together(spec: TableSpec, *frames: pl.DataFrame | None) -> pl.DataFrame:
    """All these rows in one frame, which may be empty."""
    empty = pl.DataFrame(schema=spec.polars_schema())
    return pl.concat([empty, *(frame.select(spec.column_names) for frame in frames if frame is not None)])


def _sealed(spec: TableSpec, before: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """A sealed file with rows that arrive in it."""
    stored = _together(spec, before)
    return overlay(spec, stored=stored, changes=supersede(spec, stored=stored, incoming=rows))


def _same(content: pl.DataFrame, before: pl.DataFrame | None) -> bool:
    return before is not None and content.equals(before)


def _height(frame: pl.DataFrame | None) -> int:
    return 0 if frame is None else frame.height


def _sealed_path(spec: TableSpec) -> pl.Expr:
    """Path of the sealed file a row belongs in once it left the window."""
    moment = pl.col("timestamp")
    if spec.group is None:
        return pl.lit(DATA_FOLDER) + moment.dt.strftime(spec.sealed_period("").strftime) + pl.lit(SUFFIX)
    default = moment.dt.strftime(spec.sealed_period("*").strftime)
    name = default
    for group, period in spec.sealed:
        if group != "*":
            name = pl.when(pl.col(spec.group) == group).then(moment.dt.strftime(period.strftime)).otherwise(name)
    return _folder(spec) + name + pl.lit(SUFFIX)


def _folder(spec: TableSpec) -> pl.Expr:
    if spec.group is None:
        return pl.lit(DATA_FOLDER)
    return pl.lit(DATA_FOLDER) + pl.col(spec.group) + pl.lit("/")


def _past(window_start: int) -> pl.Expr:
    return pl.col("timestamp").dt.epoch("ms") < window_start


def _placed(
    spec: TableSpec, *, small: Files, changed: pl.DataFrame, window_start: int, live: str
) -> dict[str, pl.DataFrame]:
    """All rows of the small files and all changed ones, by the path they belong in now."""
    key = list(spec.key)
    tagged = [_together(spec, frame).with_columns(pl.lit(path).alias(_PATH)) for path, frame in small.items()]
    held = pl.concat([_together(spec).with_columns(pl.lit(None, dtype=pl.String).alias(_PATH)), *tagged])
    arrived = changed.select(spec.column_names).join(held.select([*key, _PATH]), on=key, how="left")
    rows = pl.concat([held.join(arrived, on=key, how="anti"), arrived])
    if spec.live is LiveStyle.APPEND:
        current = pl.coalesce(pl.col(_PATH), _folder(spec) + pl.lit(LIVE_FOLDER + live))
    else:
        current = _folder(spec) + pl.lit(TODAY_NAME)
    home = pl.when(_past(window_start)).then(_sealed_path(spec)).otherwise(current)
    if spec.has_forming_rows:
        home = pl.when(~pl.col("closed")).then(_folder(spec) + pl.lit(OPEN_NAME)).otherwise(home)
    homes = rows.with_columns(home.alias(_PATH)).partition_by(_PATH, as_dict=True, include_key=False)
    return {str(path): frame for (path,), frame in homes.items()}
