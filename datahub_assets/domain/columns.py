"""A column of a table: its name, what it holds, and the types of that in parquet and polars."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class ColumnKind(StrEnum):
    """What a column holds; each kind has one type in each system."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"
    TIME = "time"

    @property
    def arrow(self) -> "pa.DataType":
        """The parquet type: times are `timestamp[us, UTC]`, numbers float64, counts int64, texts `list<string>`."""
        import pyarrow as pa  # noqa: PLC0415 - specs are loaded by commands that should not wait for it

        return {
            ColumnKind.TEXT: pa.string(),
            ColumnKind.TEXTS: pa.list_(pa.string()),
            ColumnKind.NUMBER: pa.float64(),
            ColumnKind.COUNT: pa.int64(),
            ColumnKind.FLAG: pa.bool_(),
            ColumnKind.TIME: pa.timestamp("us", tz="UTC"),
        }[self]

    @property
    def polars(self) -> "pl.DataType":
        """The polars type of the same values."""
        import polars as pl  # noqa: PLC0415 - as above

        return {
            ColumnKind.TEXT: pl.String(),
            ColumnKind.TEXTS: pl.List(pl.String()),
            ColumnKind.NUMBER: pl.Float64(),
            ColumnKind.COUNT: pl.Int64(),
            ColumnKind.FLAG: pl.Boolean(),
            ColumnKind.TIME: pl.Datetime("us", "UTC"),
        }[self]


Value = str | float | int | bool | tuple[str, ...] | None
"""A value as a spec writes it; times as ISO 8601 text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and what people are told of it on the card and in the API's schema.

    Attributes:
        doc: what it means.
        unit: of its numbers, `USD` or `percent`; None where there is none.
        example: a value upstream really sent.
        at_least, above: bounds of its numbers, which a check holds rows to before they are published.
    """

    name: str
    kind: ColumnKind
    doc: str
    unit: str | None = None
    example: Value = None
    at_least: float | None = None
    above: float | None = None

    @property
    def meaning(self) -> str:
        """What it means, with the unit: `price of one coin, USD`."""
        return self.doc if self.unit is None else f"{self.doc}, {self.unit}"
