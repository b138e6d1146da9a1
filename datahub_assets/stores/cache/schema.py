"""The format of the cache file: its version, the tables and indexes it must have, and how earlier ones become today's.

And whether the file is sound.
"""
# ruff: noqa: S608 - the names are those of our own tables; every value is bound

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import polars as pl

from datahub_assets.datasets.ledgers import CORRECTIONS, GAPS, ledgers_of, parts_of
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.errors import CacheUnusable
from datahub_assets.domain.ledgers import DATASET
from datahub_assets.domain.sql_names import quoted
from datahub_assets.stores.cache import quarantine, repo_state, sealed_keys, series
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table

FORMAT: Final = 2


def complete(database: Database) -> None:
    """Make what is missing in the file, and bring one of an earlier format to today's, all or nothing.

    A complete one is only read, so that nobody waits for a writer to open it.

    Raises:
        CacheUnusable: written by a newer version of this project, or a column of a dataset has another kind now.
        CacheFull: no room for what is missing.
    """
    if _format_of(database) == FORMAT and not _wanted_names() - _names(database):
        return
    with database.transaction():
        if _format_of(database) == 1:  # asked again: another process may have been faster
            _from_format_1(database)
        _create(database)


def check(database: Database) -> None:
    """Look for damage in the file, and write to it without changing anything.

    Raises:
        CacheUnusable: it is damaged.        CacheError: it cannot be read or written.
    """
    verdict = str(database.scalar("PRAGMA quick_check(1)"))
    if verdict != "ok":
        raise CacheUnusable(f"the cache {database.path} is damaged: {verdict}")
    with database.transaction():
        database.execute("UPDATE versions SET last = last")


def _format_of(database: Database) -> int:
    found = int(database.scalar("PRAGMA user_version"))
    if found > FORMAT:
        raise CacheUnusable(
            f"the cache {database.path} has format {found}, this version knows {FORMAT}: update the project, or "
            "`datahub cache rebuild` to start a new cache from the Hub"
        )
    return found


def _names(database: Database) -> set[tuple[str | None, ...]]:
    """The tables with each of their columns and its type, and the indexes, that there are."""
    return set(
        database.rows("SELECT m.name, c.name, c.type FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c")
    )


def _wanted_names() -> set[tuple[str | None, ...]]:
    """Those there should be: those of a cache made anew, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        pattern = Database(Path(":memory:"), connection)
        _create(pattern)
        return _names(pattern)


def _create(database: Database) -> None:
    """Make all tables that are missing, and the columns that datasets gained, in one transaction."""
    with database.transaction():
        database.execute("CREATE TABLE IF NOT EXISTS versions (last INTEGER NOT NULL) STRICT")
        database.execute("INSERT INTO versions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM versions)")
        database.execute(
            "CREATE TABLE IF NOT EXISTS notes (dataset TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, "
            "PRIMARY KEY (dataset, name)) STRICT, WITHOUT ROWID"
        )
        quarantine.create(database)
        repo_state.create(database)
        series.create(database)
        sealed_keys.create(database)
        for spec in DATASETS.values():
            for part in parts_of(spec):
                Table.of(database, part).create()
        database.execute(f"PRAGMA user_version = {FORMAT}")


def _from_format_1(database: Database) -> None:
    """Ledgers did not name the dataset a line is about, and the quarantine knew times of candles alone.

    The lines of ledgers wait for a commit again: that one finds them on the Hub, or brings them there.
    """
    if "open_time" in _columns(database, "quarantine"):
        database.execute("ALTER TABLE quarantine RENAME COLUMN open_time TO at_ms")
    earlier = {name: _lines(database, name) for name in (GAPS, CORRECTIONS) if _is_earlier(database, name)}
    for name in earlier:
        database.execute(f"DROP TABLE {quoted(name)}")
    version = int(database.scalar("SELECT last FROM versions"))
    for ledger in (ledger for spec in DATASETS.values() for ledger in ledgers_of(spec)):
        if ledger.name in earlier and ledger.upgrade is not None:
            table = Table.of(database, ledger)
            table.create()
            lines = ledger.today(earlier[ledger.name])
            table.put(lines.filter(pl.col(DATASET) == ledger.dataset), version=version)


def _is_earlier(database: Database, name: str) -> bool:
    columns = _columns(database, name)
    return bool(columns) and DATASET not in columns


def _lines(database: Database, name: str) -> pl.DataFrame:
    """A table with the columns it has; times are epoch milliseconds."""
    rows = database.rows(f"SELECT * FROM {quoted(name)}")
    return pl.DataFrame(rows, schema=_columns(database, name), orient="row", infer_schema_length=None)


def _columns(database: Database, name: str) -> list[str]:
    """The columns of a table, in order; none where there is no such table."""
    return [column for (column,) in database.rows("SELECT name FROM pragma_table_info(?)", (name,))]
