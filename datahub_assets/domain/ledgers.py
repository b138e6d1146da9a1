"""The ledgers published beside a dataset's rows: what is missing and what upstream changed afterwards, as data."""

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from datahub_assets.domain.columns import Column


@dataclass(frozen=True, slots=True)
class LedgerSpec:
    """A side table of a dataset: one parquet file outside `data/`, a config of its own on the card.

    Attributes:
        name: config on the card, SQL table of the API, table of the cache.
        path: its file in the repo.
        key: columns that identify a line.        latest: of two lines with one key, the later by this column counts.
    """

    name: str
    path: str
    summary: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    latest: str

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def arrow_schema(self) -> pa.Schema:
        """Parquet schema: all columns nullable but the key."""
        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.name not in self.key) for c in self.columns])

    def polars_schema(self) -> dict[str, pl.DataType]:
        """The same columns and types for polars."""
        return {column.name: column.kind.polars for column in self.columns}

    def merge(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        """One line per key, the latest one, sorted by key; independent of the order of frames and lines."""
        columns = list(self.column_names)
        lines = pl.concat([pl.DataFrame(schema=self.polars_schema()), *(frame.select(columns) for frame in frames)])
        others = [name for name in columns if name not in self.key and name != self.latest]
        ranked = lines.sort([*self.key, self.latest, *others], nulls_last=False)
        return ranked.unique(subset=list(self.key), keep="last", maintain_order=True)
