"""Which rows of a snapshot are meant."""

from dataclasses import dataclass

import polars as pl

from api.engine.conditions import Condition
from api.engine.selection.positions import Position


class NotResident(Exception):
    """The rows lie in a file that would have to be read from parquet first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Rows with start_ms <= time < end_ms, at most `limit`: the newest ones, or the oldest ones when `forward`.

    Attributes:
        groups: values of the group whose rows count; all of them for None.
        series: names of the series whose rows count; all of them for None.
        where: what else must hold for a row.
        columns: names of the columns to return; those of `page_order` are always there.
        after: only rows beyond this position (later ones when `forward`, earlier ones otherwise).
    """

    limit: int
    columns: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    series: tuple[str, ...] | None = None
    where: tuple[Condition, ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    forward: bool = False
    after: Position | None = None

    @property
    def wanted(self) -> int:
        """How many rows are looked for: one more than asked for tells whether there is a next page."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class SelectedRows:
    """Rows in ascending order of `page_order`, and the position to go on from; None when these are all."""

    frame: pl.DataFrame
    next: Position | None
