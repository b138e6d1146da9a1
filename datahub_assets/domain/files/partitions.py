"""Which file of a dataset repo a row belongs in, now and later."""

from collections.abc import Callable
from functools import partial

import polars as pl

from datahub_assets.domain.files.data_files import (
    DATA_FOLDER,
    LIVE_STAMP,
    OPEN_NAME,
    RANGE_DIGITS,
    SUFFIX,
    TODAY_NAME,
    is_appended,
    window_folder,
)
from datahub_assets.domain.tables import ROLL_DELAY_MS, ByRange, Period, TableSpec
from datahub_assets.domain.times import utc_datetime


def live_name(now_ms: int) -> str:
    """Name of the live file of a publish in this minute (UTC)."""
    return f"{utc_datetime(now_ms):{LIVE_STAMP}}{SUFFIX}"


def window_start_at(spec: TableSpec, *, now_ms: int, newest: int | None, reached: int) -> int:
    """First millisecond of the live window: it follows the clock, but neither back nor away from the data.

    Args:
        newest: the newest time there is; a clock that is a year ahead cannot push the window past it.
        reached: the window start a commit already used, by this or another writer.
    """
    trusted = now_ms if newest is None else min(now_ms, spec.windows[0].end(newest) + ROLL_DELAY_MS)
    return max(spec.window_start(trusted), reached)


def live_since(spec: TableSpec, window_start: int) -> int:
    """First millisecond of which any group may have live rows."""
    return spec.windows[1].start(window_start)


def keys_move(spec: TableSpec) -> bool:
    """Whether a later version of a row may belong in another sealed file: its key does not hold its time."""
    return spec.time not in spec.key


def sealed_paths(spec: TableSpec, rows: pl.DataFrame) -> pl.Series:
    """For each row the sealed file it belongs in once its period is over."""
    return rows.select(_by_period(spec, partial(_period_path, spec)).alias("path"))["path"]


def may_hold(spec: TableSpec, rows: pl.DataFrame) -> set[str]:
    """Every sealed file that may have rows of these times and groups, or of these numbers."""
    if isinstance(spec.partitioning, ByRange):
        paths = [_window_path(spec, Period.DAY), _period_path(spec, Period.DAY)]
    else:
        periods = [_by_period(spec, partial(_longer_path, spec, steps)) for steps in range(3)]
        paths = [_by_period(spec, partial(_window_path, spec)), *periods]
    named = rows.select(path.alias(str(number)) for number, path in enumerate(paths))
    return {path for name in named.columns for path in named[name].unique()}


def home_of(spec: TableSpec, *, window_start: int, live: pl.Expr) -> pl.Expr:
    """The path a row belongs in now.

    Args:
        window_start: see `window_start_at`.        live: where rows of a live window that is appended to belong.
    """

    def of(period: Period) -> pl.Expr:
        current = live if is_appended(period) else data_folder(spec) + pl.lit(TODAY_NAME)
        return (
            pl.when(spec.time_ms() < period.start(window_start))
            .then(_period_path(spec, period))
            .when(spec.time_ms() < period.window.start(window_start))
            .then(_window_path(spec, period))
            .otherwise(current)
        )

    home = _by_period(spec, of)
    if spec.final is None:
        return home
    return pl.when(is_final(spec)).then(home).otherwise(forming_path(spec))


def data_folder(spec: TableSpec) -> pl.Expr:
    """The folder a row belongs in, with its slash."""
    if spec.group is None:
        return pl.lit(DATA_FOLDER)
    return pl.lit(DATA_FOLDER) + pl.col(spec.group) + pl.lit("/")


def forming_path(spec: TableSpec) -> pl.Expr:
    """The file of rows that are not final yet."""
    return data_folder(spec) + pl.lit(OPEN_NAME)


def is_final(spec: TableSpec) -> pl.Expr:
    """Whether a row is final."""
    return pl.lit(value=True) if spec.final is None else pl.col(spec.final).fill_null(value=False)


def is_past(spec: TableSpec, window_start: int) -> pl.Expr:
    """Whether a row has left the live window of its group."""
    return spec.time_ms() < _by_period(spec, lambda period: pl.lit(period.window.start(window_start)))


def _by_period(spec: TableSpec, of: Callable[[Period], pl.Expr]) -> pl.Expr:
    """What depends on the period of a row's group."""
    (first, _), *others = spec.periods.items()
    found = of(first)
    for period, groups in others:
        found = pl.when(pl.col(spec.group or "").is_in(groups)).then(of(period)).otherwise(found)
    return found


def _period_path(spec: TableSpec, period: Period) -> pl.Expr:
    if isinstance(spec.partitioning, ByRange):
        return data_folder(spec) + _range_name(spec.partitioning) + pl.lit(SUFFIX)
    return _path(spec, period)


def _path(spec: TableSpec, period: Period) -> pl.Expr:
    return data_folder(spec) + pl.col(spec.time).dt.strftime(period.strftime) + pl.lit(SUFFIX)


def _window_path(spec: TableSpec, period: Period) -> pl.Expr:
    name = pl.col(spec.time).dt.strftime(period.window.strftime)
    return data_folder(spec) + pl.lit(window_folder(period)) + name + pl.lit(SUFFIX)


def _longer_path(spec: TableSpec, steps: int, period: Period) -> pl.Expr:
    """The path by a period so many steps longer than this one, or by the longest."""
    lengths = (period, *period.longer)
    return _path(spec, lengths[min(steps, len(lengths) - 1)])


def _range_name(partitioning: ByRange) -> pl.Expr:
    first = pl.col(partitioning.column) // partitioning.size * partitioning.size
    numbers = [number.cast(pl.String).str.zfill(RANGE_DIGITS) for number in (first, first + (partitioning.size - 1))]
    return pl.concat_str(numbers, separator="-")
