"""The ledgers published beside a dataset's rows: what is missing and what upstream changed afterwards, as data.

All datasets' ledgers of a kind have one form, and each line names its dataset, so that they can be read together.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import polars as pl
import pyarrow as pa

from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.times import datetime_iso

DATASET = "dataset"
"""The column of every ledger that names the dataset a line is about."""


@dataclass(frozen=True, slots=True)
class LedgerSpec:
    """A side table of a dataset: one parquet file outside `data/`, or several; a config of its own on the card.

    Attributes:
        name: config on the card and SQL table of the API; the same for all datasets.
        dataset: whose lines these are.
        path: its file in the repo; of a ledger in parts the pattern of its files, with a `*` in place of each name.
        cache_table: table of the cache; None: it has the ledger's name.
        key: columns that identify a line.        latest: of two lines with one key, the later by this column counts.
        upgrade: turns lines as an earlier version wrote them into lines of this form; None where there was none.
        remember: given all lines with their keys' earlier versions before them, gives them with what a later one does
            not know taken from an earlier one; None where each line says all.
    """

    name: str
    dataset: str
    path: str
    summary: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    latest: str
    cache_table: str | None = None
    upgrade: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    remember: Callable[[pl.DataFrame], pl.DataFrame] | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def holds(self, path: str) -> bool:
        """Whether this is the ledger's file, or one of its parts."""
        names, wanted = path.split("/"), self.path.split("/")
        return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))

    def part(self, *names: str) -> str:
        """The file of the part with these names."""
        return self.path.replace("*", "{}").format(*names)

    def arrow_schema(self) -> pa.Schema:
        """Parquet schema: all columns nullable but the key."""
        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.name not in self.key) for c in self.columns])

    def polars_schema(self) -> dict[str, pl.DataType]:
        """The same columns and types for polars."""
        return {column.name: column.kind.polars for column in self.columns}

    def is_earlier(self, columns: Iterable[str]) -> bool:
        """Whether lines with these columns are of the form that `upgrade` turns into today's: they name no dataset."""
        return self.upgrade is not None and DATASET not in set(columns)

    def today(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Lines of this dataset in today's form, whichever version of the project wrote them: nulls in later columns.

        Times are of any unit, or epoch milliseconds.

        Raises:
            polars.exceptions.PolarsError: they are of no form that is known.
        """
        if self.upgrade is not None and self.is_earlier(lines.columns):
            lines = self.upgrade(lines)
        absent = [column for column in self.columns if column.name not in {*lines.columns, *self.key}]
        lines = lines.with_columns(pl.lit(None, dtype=column.kind.polars).alias(column.name) for column in absent)
        moments = [column.name for column in self.columns if column.kind is ColumnKind.TIME]
        lines = lines.with_columns(pl.col(moments).cast(pl.Datetime("ms", "UTC")))  # no ledger has finer ones
        return lines.select(self.column_names).cast(pl.Schema(self.polars_schema()))

    def merge(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        """One line per key, the latest one, sorted by key; independent of the order of frames and lines."""
        columns = list(self.column_names)
        lines = pl.concat([pl.DataFrame(schema=self.polars_schema()), *(frame.select(columns) for frame in frames)])
        others = [name for name in columns if name not in self.key and name != self.latest]
        ranked = lines.sort([*self.key, self.latest, *others], nulls_last=False)
        if self.remember is not None:
            ranked = self.remember(ranked)
        return ranked.unique(subset=list(self.key), keep="last", maintain_order=True)


def named_text(values: Mapping[str, object]) -> str:
    """Values by the names of their columns as compact JSON; times as ISO 8601 with milliseconds.

    Ledgers name series and keys so: `{"symbol":"BTCUSDT","interval":"1h"}`.
    """
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=datetime_iso)


def value_text(value: object) -> str | None:
    """A value of any column as text: numbers with all their digits, times as ISO 8601, lists as JSON; null stays."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return datetime_iso(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
