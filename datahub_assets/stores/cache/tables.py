"""Cache tables derived from a spec's columns: rows in and out as frames, and the outbox columns every table has.

A row's `version` grows with every batch that changes it; `commit_id` is that of the commit (in `commits`) that carries
it, null while none does.
"""
# ruff: noqa: S608 - names come from the specs and pass through `quoted`; every value is bound

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.errors import CacheUnusable
from datahub_assets.domain.ledgers import DATASET, LedgerSpec
from datahub_assets.domain.rows import from_epoch_ms
from datahub_assets.domain.sql_names import quoted
from datahub_assets.stores.cache.database import Database

BATCH_ROWS: Final = 50_000
_STORED: Final = {
    ColumnKind.TEXTS: pl.String(),
    ColumnKind.FLAG: pl.Int64(),
    ColumnKind.TIME: pl.Int64(),
}
"""What SQLite keeps instead: lists of texts as JSON, flags as 0 and 1, times as epoch milliseconds."""
_SQL_TYPES: Final = {
    ColumnKind.TEXT: "TEXT",
    ColumnKind.TEXTS: "TEXT",
    ColumnKind.NUMBER: "REAL",
    ColumnKind.COUNT: "INTEGER",
    ColumnKind.FLAG: "INTEGER",
    ColumnKind.TIME: "INTEGER",
}


@dataclass(frozen=True, slots=True)
class Outbox:
    """Rows no commit carries yet, and exactly which versions of them were read.

    Attributes:
        frame: the rows, in the spec's columns.        tickets: (id, version) of each.
    """

    frame: pl.DataFrame
    tickets: pl.DataFrame

    def only(self, chosen: pl.Series) -> "Outbox":
        """The rows for which this is true; the others go on waiting."""
        return Outbox(frame=self.frame.filter(chosen), tickets=self.tickets.filter(chosen))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the cache, or the lines one dataset has in it. Conditions are SQL text with `?` for bound values.

    Attributes:
        time: the column rows are aged by.
        dataset: whose lines these are, of a ledger that all datasets share; all others are left alone.
    """

    database: Database
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str
    dataset: str | None = None

    @classmethod
    def of(cls, database: Database, spec: DatasetSpec | LedgerSpec) -> "Table":
        """The table of a dataset's rows, or its lines in the table of a ledger."""
        if isinstance(spec, DatasetSpec):
            return cls(database, spec.cache_table, columns=spec.columns, key=spec.key, time=spec.time)
        name = spec.cache_table or spec.name
        return cls(database, name, columns=spec.columns, key=spec.key, time=spec.latest, dataset=spec.dataset)

    def create(self) -> None:
        """Make the table, or the columns it lacks. STRICT: SQLite then checks types as other databases do.

        Rows that are there have nulls in a new column, until they are fetched again.

        Raises:
            CacheUnusable: a column of the key is missing, or the values of one are of another kind.
        """
        lines = [
            f"{quoted(c.name)} {_SQL_TYPES[c.kind]}{' NOT NULL' if c.name in self.key else ''}" for c in self.columns
        ]
        self._add_columns()
        self.database.execute(
            f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} (id INTEGER PRIMARY KEY, {', '.join(lines)}, "
            "version INTEGER NOT NULL, commit_id INTEGER, "
            f"UNIQUE ({_names(self.key)})) STRICT"
        )
        self.database.execute(
            f"CREATE INDEX IF NOT EXISTS {quoted(self.name + '_outbox')} ON {quoted(self.name)} (version) "
            "WHERE commit_id IS NULL"
        )

    def _add_columns(self) -> None:
        found = dict(self.database.rows("SELECT name, type FROM pragma_table_info(?)", (self.name,)))
        for column in self.columns if found else ():
            kind = _SQL_TYPES[column.kind]
            if found.get(column.name, kind) != kind or (column.name in self.key and column.name not in found):
                raise CacheUnusable(
                    f"the table {self.name} of the cache {self.database.path} does not fit the column {column.name}: "
                    "keep it as it was, or give the dataset another `cache_table` and `repo_name`, where it begins anew"
                )
            if column.name not in found:
                self.database.execute(f"ALTER TABLE {quoted(self.name)} ADD COLUMN {quoted(column.name)} {kind}")

    def matching(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The stored rows with the keys of this frame."""
        wanted = quoted(f"wanted_{self.name}")
        lines = ", ".join(f"{quoted(c.name)} {_SQL_TYPES[c.kind]}" for c in self.columns if c.name in self.key)
        self.database.execute(f"CREATE TEMP TABLE IF NOT EXISTS {wanted} ({lines}) STRICT")
        self.database.execute(f"DELETE FROM temp.{wanted}")
        ordered = [c.name for c in self.columns if c.name in self.key]
        self.database.execute_many(
            f"INSERT INTO temp.{wanted} VALUES ({_marks(len(ordered))})", _plain(keys.select(ordered), self.columns)
        )
        same = " AND ".join(f"t.{quoted(name)} = w.{quoted(name)}" for name in self.key)
        names = ", ".join(f"t.{quoted(column.name)}" for column in self.columns)
        # CROSS JOIN keeps SQLite from scanning the big table: the wanted keys drive, the table answers by its key.
        return self._frame(
            self.database.chunks(
                f"SELECT {names} FROM temp.{wanted} w CROSS JOIN {quoted(self.name)} t ON {same}", size=BATCH_ROWS
            )
        )

    def put(self, frame: pl.DataFrame, *, version: int, commit_id: int | None = None) -> None:
        """Write rows, replacing those with the same keys; they wait in the outbox unless `commit_id` carries them."""
        names = [column.name for column in self.columns]
        updates = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in [*names, "version", "commit_id"])
        sql = (
            f"INSERT INTO {quoted(self.name)} ({_names(names)}, version, commit_id) "
            f"VALUES ({_marks(len(names) + 2)}) ON CONFLICT ({_names(self.key)}) DO UPDATE SET {updates}"
        )
        tagged = frame.select(names).with_columns(version=pl.lit(version), commit_id=pl.lit(commit_id, dtype=pl.Int64))
        for chunk in tagged.iter_slices(BATCH_ROWS):
            self.database.execute_many(sql, _plain(chunk, self.columns))

    def unpublished(self, *, limit: int | None = None) -> Outbox:
        """The rows without a commit, oldest version first, at most `limit`."""
        names = _names([column.name for column in self.columns])
        where, values = self._where("commit_id IS NULL")
        sql = f"SELECT id, version, {names} FROM {quoted(self.name)} {where} ORDER BY version, id LIMIT ?"
        tickets = {"id": pl.Int64(), "version": pl.Int64()}
        rows = self._frame(self.database.chunks(sql, (*values, _limit(limit)), size=BATCH_ROWS), before=tickets)
        return Outbox(frame=rows.drop(list(tickets)), tickets=rows.select(list(tickets)))

    def mark(self, tickets: pl.DataFrame, *, commit_id: int) -> int:
        """Set the commit of exactly these row versions and return how many; a row changed meanwhile keeps waiting."""
        return self.database.execute_many(
            f"UPDATE {quoted(self.name)} SET commit_id = ? WHERE id = ? AND version = ?",
            ((commit_id, row_id, version) for row_id, version in tickets.select("id", "version").iter_rows()),
        )

    def unmark(self, where: str | None = None, values: Sequence[Any] = ()) -> int:
        """No commit carries these rows any more; returns how many did."""
        carried = "commit_id IS NOT NULL" if where is None else f"commit_id IS NOT NULL AND ({where})"
        where, values = self._where(carried, values)
        return self.database.execute(f"UPDATE {quoted(self.name)} SET commit_id = NULL {where}", values).rowcount

    def read(self, where: str | None = None, values: Sequence[Any] = (), *, limit: int | None = None) -> pl.DataFrame:
        """Rows as a frame, at most `limit`."""
        names = _names([column.name for column in self.columns])
        where, values = self._where(where, values)
        sql = f"SELECT {names} FROM {quoted(self.name)} {where} LIMIT ?"
        return self._frame(self.database.chunks(sql, (*values, _limit(limit)), size=BATCH_ROWS))

    def lacking(self, column: str, *, limit: int) -> pl.DataFrame:
        """Rows that have no value in this column, those of the latest times first, at most `limit`."""
        names = _names([one.name for one in self.columns])
        where, values = self._where(f"{quoted(column)} IS NULL")
        sql = f"SELECT {names} FROM {quoted(self.name)} {where} ORDER BY {quoted(self.time)} DESC LIMIT ?"
        return self._frame(self.database.chunks(sql, (*values, limit), size=BATCH_ROWS))

    def of_last_commit(self, *, dataset: str, since_ms: int, limit: int) -> pl.DataFrame:
        """Rows that the dataset's last commit carries, of the time `since_ms` or later, at most `limit`."""
        carried = f"commit_id = (SELECT max(id) FROM commits WHERE dataset = ?) AND {quoted(self.time)} >= ?"
        return self.read(carried, (dataset, since_ms), limit=limit)

    def frame(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        """Rows as SQLite keeps them, all columns in order, times in epoch milliseconds, as a frame."""
        return self._frame(iter([rows]))

    def count(self, where: str | None = None, values: Sequence[Any] = ()) -> int:
        """How many rows."""
        where, values = self._where(where, values)
        return int(self.database.scalar(f"SELECT count(*) FROM {quoted(self.name)} {where}", values))

    def delete(self, where: str | None = None, values: Sequence[Any] = ()) -> int:
        """Drop rows; returns how many."""
        where, values = self._where(where, values)
        return self.database.execute(f"DELETE FROM {quoted(self.name)} {where}", values).rowcount

    def _where(self, condition: str | None, values: Sequence[Any] = ()) -> tuple[str, tuple[Any, ...]]:
        """The clause of a condition, for this dataset's lines alone; empty where all rows are meant."""
        conditions = [] if condition is None else [f"({condition})"]
        if self.dataset is None:
            return " ".join(["WHERE", *conditions]) if conditions else "", tuple(values)
        return "WHERE " + " AND ".join([*conditions, f"{quoted(DATASET)} = ?"]), (*values, self.dataset)

    def _frame(
        self, chunks: Iterator[list[tuple[Any, ...]]], *, before: Mapping[str, pl.DataType] | None = None
    ) -> pl.DataFrame:
        """Rows of SQLite as a frame of the columns' types."""
        schema = {**(before or {}), **{c.name: _STORED.get(c.kind, c.kind.polars) for c in self.columns}}
        frames = [pl.DataFrame(rows, schema=schema, orient="row") for rows in chunks]
        frame = pl.concat([pl.DataFrame(schema=schema), *frames])
        return frame.with_columns(_read(c) for c in self.columns)


def _names(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _limit(limit: int | None) -> int:
    """SQLite takes a negative limit for none."""
    return -1 if limit is None else limit


def _plain(frame: pl.DataFrame, columns: tuple[Column, ...]) -> list[tuple[Any, ...]]:
    """Rows as SQLite stores them."""
    changed = [
        _written(c) for c in columns if c.kind in {ColumnKind.TIME, ColumnKind.TEXTS} and c.name in frame.columns
    ]
    return frame.with_columns(changed).rows()


def _written(column: Column) -> pl.Expr:
    values = pl.col(column.name)
    if column.kind is ColumnKind.TIME:
        return values.dt.epoch("ms")
    wrapped = pl.struct(values.alias("v")).struct.json_encode()  # {"v":["wallet","api"]}
    return pl.when(values.is_not_null()).then(wrapped.str.slice(5).str.strip_suffix("}")).alias(column.name)


def _read(column: Column) -> pl.Expr:
    values = pl.col(column.name)
    if column.kind is ColumnKind.TEXTS:
        return values.str.json_decode(column.kind.polars)
    return from_epoch_ms(values) if column.kind is ColumnKind.TIME else values.cast(column.kind.polars)
