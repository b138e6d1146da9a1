"""Which file of a dataset repo a row belongs in, and what a file is by its path."""

import re
from datetime import UTC, datetime
from typing import Final

import polars as pl

from datahub_assets.domain.tables import ROLL_DELAY_MS, ByRange, LiveStyle, TableSpec
from datahub_assets.domain.times import utc_datetime

DATA_FOLDER: Final = "data/"
OPEN_NAME: Final = "open.parquet"
TODAY_NAME: Final = "today.parquet"
LIVE_FOLDER: Final = "live/"
LIVE_STAMP: Final = "%H%M"
SUFFIX: Final = ".parquet"

_RANGE: Final = re.compile(r"(-?[0-9]+)-(-?[0-9]+)")
_DIGITS: Final = 12


def is_small(spec: TableSpec, path: str) -> bool:
    """Whether this is a file of the live window or of forming rows: few rows, rewritten or folded soon."""
    folder, name = _split(path)
    if spec.live is LiveStyle.REPLACE:
        return name in {OPEN_NAME, TODAY_NAME} and _group(spec, folder) is not None
    if folder.endswith(f"/{LIVE_FOLDER}"):
        return _group(spec, folder.removesuffix(LIVE_FOLDER)) is not None and _is_stamped(name, LIVE_STAMP)
    return spec.final is not None and name == OPEN_NAME and _group(spec, folder) is not None


def is_sealed(spec: TableSpec, path: str) -> bool:
    """Whether this is the file of a period that has passed, or of a range of numbers."""
    folder, name = _split(path)
    group = _group(spec, folder)
    if group is None:
        return False
    if isinstance(spec.partitioning, ByRange):
        return _range_of(spec.partitioning, name) is not None
    return _is_stamped(name, spec.partitioning.of_group(group).strftime)


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
        newest: the newest time there is; a clock that is a year ahead cannot push the window past it.
        reached: the window start a commit already used, by this or another writer.
    """
    trusted = now_ms if newest is None else min(now_ms, newest + spec.window_ms + ROLL_DELAY_MS)
    return max(spec.window_start(trusted), reached)


def numbers_of(spec: TableSpec, path: str) -> tuple[int, int] | None:
    """The first and the last number that belong in a sealed file; None where periods of time divide the rows."""
    return _range_of(spec.partitioning, _split(path)[1]) if isinstance(spec.partitioning, ByRange) else None


def keys_move(spec: TableSpec) -> bool:
    """Whether a later version of a row may belong in another sealed file: its key does not hold its time."""
    return spec.time not in spec.key


def sealed_paths(spec: TableSpec, rows: pl.DataFrame) -> pl.Series:
    """For each row the sealed file it belongs in, now or once its window has passed."""
    return rows.select(sealed_path(spec).alias("path"))["path"]


def sealed_path(spec: TableSpec) -> pl.Expr:
    """Path of the sealed file a row belongs in once it left the window."""
    return data_folder(spec) + _sealed_name(spec) + pl.lit(SUFFIX)


def data_folder(spec: TableSpec) -> pl.Expr:
    """The folder a row belongs in, with its slash."""
    if spec.group is None:
        return pl.lit(DATA_FOLDER)
    return pl.lit(DATA_FOLDER) + pl.col(spec.group) + pl.lit("/")


def is_past(spec: TableSpec, window_start: int) -> pl.Expr:
    """Whether a row has left the live window."""
    return spec.time_ms() < window_start


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


def _range_of(partitioning: ByRange, name: str) -> tuple[int, int] | None:
    """The first and the last number a file is for, by its name; None for a name that no such file has."""
    told = _RANGE.fullmatch(name.removesuffix(SUFFIX))
    if told is None:
        return None
    first = int(told[1])
    last = first + partitioning.size - 1
    exact = name == f"{first:0{_DIGITS}d}-{last:0{_DIGITS}d}{SUFFIX}"
    return (first, last) if exact and first % partitioning.size == 0 else None


def _sealed_name(spec: TableSpec) -> pl.Expr:
    if isinstance(spec.partitioning, ByRange):
        size = spec.partitioning.size
        first = pl.col(spec.partitioning.column) // size * size
        numbers = [number.cast(pl.String).str.zfill(_DIGITS) for number in (first, first + (size - 1))]
        return pl.concat_str(numbers, separator="-")
    moment = pl.col(spec.time)
    name = moment.dt.strftime(spec.partitioning.period.strftime)
    for group, period in spec.partitioning.of_groups:
        name = pl.when(pl.col(spec.group or "") == group).then(moment.dt.strftime(period.strftime)).otherwise(name)
    return name
