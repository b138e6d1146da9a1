"""A column of a table: its name, what it holds, and the types of that in parquet and polars."""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl
import pyarrow as pa


class ColumnKind(StrEnum):
    """What a column holds; each kind has one type in each system."""

    TEXT = "text"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"
    TIME = "time"

    @property
    def arrow(self) -> pa.DataType:
        """The parquet type: times are `timestamp[ms, UTC]`, numbers float64, counts int64."""
        return {
            ColumnKind.TEXT: pa.string(),
            ColumnKind.NUMBER: pa.float64(),
            ColumnKind.COUNT: pa.int64(),
            ColumnKind.FLAG: pa.bool_(),
            ColumnKind.TIME: pa.timestamp("ms", tz="UTC"),
        }[self]

    @property
    def polars(self) -> pl.DataType:
        """The polars type of the same values."""
        return {
            ColumnKind.TEXT: pl.String(),
            ColumnKind.NUMBER: pl.Float64(),
            ColumnKind.COUNT: pl.Int64(),
            ColumnKind.FLAG: pl.Boolean(),
            ColumnKind.TIME: pl.Datetime("ms", "UTC"),
        }[self]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and a line for the dataset card and the API's schema."""

    name: str
    kind: ColumnKind
    doc: str
