"""Checked rows, rejected rows and how two versions of a row merge."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.tables import FETCHED, TableSpec

EPOCH_MS: Final = pl.Datetime("ms", "UTC")
"""What makes times of integers that count milliseconds. Columns of times hold whole ones, in microseconds."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that failed its check.

    Attributes:
        subject: what it was about; of a dataset with gaps its series, the values joined by a space.
        reason: why it failed.        raw: what upstream sent, JSON text.
        at_ms: the time it would have had, epoch ms, or its number where gaps go by number; None where it does not say.
    """

    dataset: str
    subject: str
    reason: str
    raw: str
    at_ms: int | None = None

    @classmethod
    def of(cls, spec: TableSpec, *, subject: str, reason: str, raw: object, at_ms: int | None = None) -> "Rejected":
        """Keep what upstream sent word for word as JSON (NaN and Infinity stay readable as such)."""
        return cls(spec.name, subject, reason, json.dumps(raw, default=str), at_ms)


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check: a frame of good rows in the spec's schema, and the rejected ones."""

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]


def frame_of(spec: TableSpec | LedgerSpec, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a frame of exactly the spec's columns and types; times as integer milliseconds or datetimes."""
    told = {c.name: EPOCH_MS if c.kind is ColumnKind.TIME else c.kind.polars for c in spec.columns}
    return pl.DataFrame(rows, schema=told, orient="row").cast(pl.Schema(spec.polars_schema()))


def from_epoch_ms(values: pl.Expr) -> pl.Expr:
    """Integers that are epoch milliseconds as values of a column of times."""
    return values.cast(EPOCH_MS).cast(ColumnKind.TIME.polars)


def in_epoch_ms(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with their times as integers, epoch milliseconds: as JSON, SQLite and the functions of gaps take them."""
    return rows.with_columns(pl.selectors.datetime().dt.epoch("ms"))


def merge(spec: TableSpec, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One row per key, sorted by the spec's order: final beats open, then the version fetched later wins.

    The remaining columns break ties, so the outcome depends neither on the order of frames nor on that of rows.
    Nothing is invented: every row of the result is a row of the input.
    """
    columns = list(spec.column_names)
    present = [frame.select(columns) for frame in frames if frame.height]
    if not present:
        return pl.DataFrame(schema=spec.polars_schema())
    rows = pl.concat(present)
    precedence = [FETCHED] if spec.final is None else [spec.final, FETCHED]
    others = [name for name in columns if name not in spec.key and name not in precedence]
    ranked = rows.sort([*spec.key, *precedence, *others], nulls_last=False, maintain_order=True)
    return ranked.unique(subset=list(spec.key), keep="last", maintain_order=True).sort(list(spec.file_order))


def content_columns(spec: TableSpec) -> list[str]:
    """The columns that make a row what it is: all but the time it was fetched."""
    return [name for name in spec.column_names if name != FETCHED]


def supersede(spec: TableSpec, *, stored: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    """The rows that `incoming` adds to `stored` or changes in it, one per key, by the rule of `merge`.

    A row that says the same as the stored one is not among them, whenever it was fetched: so the time of
    fetching changes only when another column does. Nor is one that loses, such as an open version against the final.
    """
    if stored.is_empty():
        return merge(spec, [incoming])
    winners = merge(spec, [stored, incoming])
    return winners.join(stored, on=content_columns(spec), how="anti", nulls_equal=True, maintain_order="left")


def overlay(spec: TableSpec, *, stored: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """`stored` with `changes` (of `supersede`) in place of the rows of the same keys, in the spec's order."""
    kept = stored.select(spec.column_names).join(changes, on=list(spec.key), how="anti")
    return pl.concat([kept, changes.select(spec.column_names)]).sort(list(spec.file_order))
