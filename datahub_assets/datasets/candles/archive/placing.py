"""Rows of a file, each in its place: on the grid, within the time the file is of, and once. Others are set aside."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.candles.archive.csv_rows import FileRows
from datahub_assets.domain.times import iso_short

_OPENED = pl.col("timestamp").dt.epoch("ms")


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The time a file or a question is about, [start, end) in epoch ms, by a name such as `2024-11`."""

    name: str
    start_ms: int
    end_ms: int


def placed(rows: FileRows, span: TimeSpan, *, step_ms: int) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The final rows that have a place, sorted by time; and what was found about the others.

    Of rows that come twice and say the same one stays; of those that say different things none does, since nobody knows
    which is right.
    """
    frame = rows.checked.frame
    remarks: list[str] = []
    on_grid = (_OPENED % step_ms).eq(0)
    if rows.unaligned:
        on_grid &= ~_OPENED.is_in(list(rows.unaligned))
    within = (span.start_ms <= _OPENED) & (span.end_ms > _OPENED)
    for kept, what in (
        (within, f"outside of {span.name}"),
        (on_grid, "off the grid"),
        (pl.col("closed"), "not final"),
    ):
        wanted = frame.select(kept).to_series()
        if not wanted.all():
            others = frame.filter(~wanted)
            remarks.append(f"{_counted(others)} {what}: set aside")
            frame = frame.filter(wanted)
    frame, doubled = _once(frame)
    return frame, (*remarks, *doubled)


def _once(frame: pl.DataFrame) -> tuple[pl.DataFrame, Iterator[str]]:
    times = frame["timestamp"]
    if not times.is_sorted():
        frame = frame.sort("timestamp", maintain_order=True)
        times = frame["timestamp"]
    if times.n_unique() == frame.height:
        return frame, iter(())
    different = frame.unique(maintain_order=True)
    alone = different.filter(pl.col("timestamp").is_unique())
    clashing = different.filter(pl.col("timestamp").is_duplicated()).unique("timestamp", keep="first")
    return alone, _of_doubled(frame.filter(pl.col("timestamp").is_duplicated()), clashing)


def _of_doubled(doubled: pl.DataFrame, clashing: pl.DataFrame) -> Iterator[str]:
    times = doubled.unique("timestamp", maintain_order=True)
    yield f"{_counted(times)} more than once"
    if clashing.height:
        yield f"{_counted(clashing.sort('timestamp'))} with different values: set aside"


def _counted(rows: pl.DataFrame) -> str:
    first = iso_short(rows.select(_OPENED.min()).item())
    return f"1 row ({first})" if rows.height == 1 else f"{rows.height} rows (the first of {first})"
