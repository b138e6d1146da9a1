"""A row's place in the order of pages: its values of the spec's `page_order`, and where that is in a file."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from datahub_assets.domain.tables import TableSpec
from datahub_assets.domain.times import epoch_ms

Position = tuple[int | str, ...]
"""A row's values of `page_order`: times are epoch milliseconds. No two rows have the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position taken apart.

    Attributes:
        at_ms: the row's time.
        run: its series and its group, as `run_of` has them.
        rest: its values of `within_time`.
    """

    at_ms: int
    run: tuple[str, ...]
    rest: Position

    @classmethod
    def of(cls, spec: TableSpec, position: Position) -> "Place":
        """The parts of a position that has the form of this spec's."""
        at_ms, *others = position
        split = len(others) - len(spec.within_time)
        return cls(int(at_ms), tuple(map(str, others[:split])), tuple(others[split:]))


def run_of(spec: TableSpec, series: str, group: str | None) -> tuple[str, ...]:
    """The series and group of rows, of those two that the spec has; rows of one time are in the order of this."""
    return (*((series,) if spec.series is not None else ()), *((group or "",) if spec.group is not None else ()))


def position_of(spec: TableSpec, frame: pl.DataFrame, row: int) -> Position:
    """The position of a row of a frame that has the columns of `page_order`."""
    values = [frame.get_column(name)[row] for name in spec.page_order]
    return tuple(map(_said, values))


def rows_at(spec: TableSpec, frame: pl.DataFrame, rest: Position, *, first: int, last: int) -> tuple[int, int]:
    """Where in the rows [first, last) of a sorted file, all of one series and time, those with this `rest` are."""
    same = frame[first:last]
    columns = [same[name] for name in spec.within_time]
    rows = range(same.height)

    def values(row: int) -> Position:
        return tuple(_said(column[row]) for column in columns)

    return first + bisect_left(rows, rest, key=values), first + bisect_right(rows, rest, key=values)


def _said(value: Any) -> int | str:
    """A value of a row as positions have it."""
    return epoch_ms(value) if isinstance(value, datetime) else value
