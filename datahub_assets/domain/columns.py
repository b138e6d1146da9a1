"""A column of a table: its name, what it holds, and the types of that in parquet and polars."""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl
import pyarrow as pa


class Kind(StrEnum):
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
            Kind.TEXT: pa.string(),
            Kind.NUMBER: pa.float64(),
            Kind.COUNT: pa.int64(),
            Kind.FLAG: pa.bool_(),
            Kind.TIME: pa.timestamp("ms", tz="UTC"),
        }[self]

    @property
    def polars(self) -> pl.DataType:
        """The polars type of the same values."""
        return {
            Kind.TEXT: pl.String(),
            Kind.NUMBER: pl.Float64(),
            Kind.COUNT: pl.Int64(),
            Kind.FLAG: pl.Boolean(),
            Kind.TIME: pl.Datetime("ms", "UTC"),
        }[self]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and a line for the dataset card and the API's schema."""

    name: str
    kind: Kind
    doc: str
