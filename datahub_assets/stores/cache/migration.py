"""From earlier formats of the cache file to today's; whoever calls holds the transaction that all of it is part of."""
# ruff: noqa: S608 - the names are those of our own tables; every value is bound

import polars as pl

from datahub_assets.datasets.ledgers import CORRECTIONS, GAPS, ledgers_of
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.ledgers import DATASET
from datahub_assets.domain.sql_names import quoted
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table


def from_format_1(database: Database) -> None:
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
