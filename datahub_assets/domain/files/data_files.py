"""What a file of a dataset repo is, by its path."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from datahub_assets.domain.tables import ByRange, Period, TableSpec
from datahub_assets.domain.times import epoch_ms, utc_datetime

DATA_FOLDER: Final = "data/"
OPEN_NAME: Final = "open.parquet"
TODAY_NAME: Final = "today.parquet"
LIVE_FOLDER: Final = "live/"
LIVE_STAMP: Final = "%H%M"
SUFFIX: Final = ".parquet"
RANGE_DIGITS: Final = 12

_RANGE: Final = re.compile(r"(-?[0-9]+)-(-?[0-9]+)")


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file of rows that have left the live window, as its path tells.

    Attributes:
        group: whose rows; "" where rows have no groups.
        period: how long it covers; None where it is for a range of numbers.
        column: what counts, the time or a number.        first, last: its values in this file.
        window: whether it is one of those that are folded once the period of the group is over.
    """

    group: str
    period: Period | None
    column: str
    first: int
    last: int
    window: bool = False


def window_folder(period: Period) -> str:
    """The folder for the windows of such periods: `hours/` or `days/`."""
    return f"{period.window}s/"


def is_appended(period: Period) -> bool:
    """Whether live rows lie in one small file per publish, and not in one that is written anew."""
    return period.window is Period.HOUR


def is_small(spec: TableSpec, path: str) -> bool:
    """Whether this is a file of the live window or of forming rows: few rows, rewritten or sealed soon."""
    folder, name = _split(path)
    if folder.endswith(f"/{LIVE_FOLDER}"):
        return _group(spec, folder.removesuffix(LIVE_FOLDER)) is not None and _stamped(name, LIVE_STAMP) is not None
    names = {TODAY_NAME} if spec.final is None else {TODAY_NAME, OPEN_NAME}
    return name in names and _group(spec, folder) is not None


def is_sealed(spec: TableSpec, path: str) -> bool:
    """Whether this is the file of a window or a period that has passed, or of a range of numbers."""
    return sealed_file(spec, path) is not None


def sealed_file(spec: TableSpec, path: str) -> SealedFile | None:
    """What a sealed file is for; None for any other path.

    Longer periods than those of today's layout count as well: a repo may hold files of an earlier one.
    """
    folder, name = _split(path)
    group = _group(spec, folder)
    if group is not None and isinstance(spec.partitioning, ByRange):
        numbers = _range_of(spec.partitioning, name)
        return None if numbers is None else SealedFile(group, None, spec.partitioning.column, *numbers)
    if group is not None:
        period = spec.period_of(group)
        found = (_covers(spec, group, one, name, window=False) for one in (period, *period.longer))
        return next((one for one in found if one is not None), None)
    outer, inner = _split(folder.removesuffix("/"))
    group = _group(spec, outer)
    if group is None or f"{inner}/" != window_folder(spec.period_of(group)):
        return None
    return _covers(spec, group, spec.period_of(group).window, name, window=True)


def is_placed(spec: TableSpec, path: str) -> bool:
    """Whether rows of the main table are placed in such a file."""
    return is_small(spec, path) or is_sealed(spec, path)


def is_data(path: str) -> bool:
    """Whether readers take what is in this file for rows of the main table, as the globs of the card do."""
    return path.startswith(DATA_FOLDER) and path.endswith(SUFFIX)


def is_foreign(spec: TableSpec, path: str) -> bool:
    """Whether readers take this file for ours though no publish writes it: a copy, or somebody's own."""
    return is_data(path) and not is_placed(spec, path)


def period_file(spec: TableSpec, group: str, moment_ms: int) -> str:
    """The file rows of this time rest in once their period is over; for periods of time, not for ranges."""
    folder = DATA_FOLDER if spec.group is None else f"{DATA_FOLDER}{group}/"
    return f"{folder}{_name(spec.period_of(group), moment_ms)}"


def files_between(spec: TableSpec, paths: Iterable[str], *, group: str, first_ms: int, last_ms: int) -> set[str]:
    """Which of these are sealed files of the group that may hold rows of these times (both included)."""
    found = ((path, sealed_file(spec, path)) for path in paths)
    return {
        path
        for path, file in found
        if file is not None and file.group == group and file.first <= last_ms and file.last >= first_ms
    }


def folds_into(spec: TableSpec, path: str, *, window_start: int) -> str | None:
    """What the windows of a period that is over have in common: the file of the period, or the folder of the ranges.

    None for the path of any other file.
    """
    file = sealed_file(spec, path)
    if file is None or not file.window:
        return None
    period = spec.period_of(file.group)
    if file.first >= period.start(window_start):
        return None
    folder = _split(path)[0].removesuffix(window_folder(period))
    return folder if isinstance(spec.partitioning, ByRange) else f"{folder}{_name(period, file.first)}"


def _name(period: Period, moment_ms: int) -> str:
    return f"{utc_datetime(moment_ms).strftime(period.strftime)}{SUFFIX}"


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


def _covers(spec: TableSpec, group: str, period: Period, name: str, *, window: bool) -> SealedFile | None:
    moment = _stamped(name, period.strftime)
    if moment is None:
        return None
    first = epoch_ms(moment)
    return SealedFile(group, period, spec.time, first, period.end(first) - 1, window=window)


def _stamped(name: str, pattern: str) -> datetime | None:
    """The moment whose file has exactly this name by this pattern of strftime; None for any other name."""
    stem = name.removesuffix(SUFFIX)
    try:
        moment = datetime.strptime(stem, pattern).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if name == f"{moment.strftime(pattern)}{SUFFIX}" else None


def _range_of(partitioning: ByRange, name: str) -> tuple[int, int] | None:
    """The first and the last number a file is for, by its name; None for a name that no such file has."""
    told = _RANGE.fullmatch(name.removesuffix(SUFFIX))
    if told is None:
        return None
    first = int(told[1])
    last = first + partitioning.size - 1
    exact = name == f"{first:0{RANGE_DIGITS}d}-{last:0{RANGE_DIGITS}d}{SUFFIX}"
    return (first, last) if exact and first % partitioning.size == 0 else None
