"""Which rows of a dataset a caller means, in one normal form, and the page of them that a commit holds."""

from dataclasses import dataclass

import msgspec
import polars as pl

Position = tuple[int | str, ...]
"""A row's values of the spec's `page_order`: times are epoch milliseconds. No two rows have the same.

On a page that holds one row of each series it is the name of the row's series alone.
"""


class NotResident(Exception):
    """The rows lie in a file that would have to be read from parquet first, or much would have to be computed."""


class RowQuery(msgspec.Struct, frozen=True, array_like=True):
    """Which rows are meant, in normal form: queries that mean the same are equal.

    Attributes:
        limit: most rows of a page.
        descending: whether the largest or newest row comes first.
        of_each: the newest row of each series is meant, the largest first where `descending`, and not rows in the order
            of time.
        filters: parameters of the dataset's filters and their values as the columns spell them, both in order; no
            values of a flag.
        start_ms, end_ms: rows with start_ms <= time < end_ms; without both, what the dataset calls its newest rows.
        max_age_s: of NewestOfEach, where it is not what the dataset says.
        after: the position of the last row of the page before.
        pinned: the commit a cursor goes on at.
    """

    dataset: str
    columns: tuple[str, ...]
    limit: int
    descending: bool
    of_each: bool = False
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    start_ms: int | None = None
    end_ms: int | None = None
    max_age_s: int | None = None
    after: Position | None = None
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows as the caller asked for them, and the position to go on from; None when these are all."""

    frame: pl.DataFrame
    next: Position | None
