"""The state of each series in the cache: its first and last row. What a series should hold is in `series_gaps`.

It outlives pruning, so that an old row leaving the cache never makes the source fetch it again.
"""

import json
from collections.abc import Iterable

import polars as pl

from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.stores.cache import series_gaps
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.tables import Table


def create(database: Database) -> None:
    """Make the table unless it is there."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS series (dataset TEXT NOT NULL, series TEXT NOT NULL, first_time INTEGER NOT NULL, "
        "last_time INTEGER, closed_first INTEGER, closed_until INTEGER, PRIMARY KEY (dataset, series)) "
        "STRICT, WITHOUT ROWID"
    )


def last_times(database: Database, spec: DatasetSpec) -> dict[Series, int]:
    """Time (epoch ms) of the last row ever stored, per series; of rows that form none under the empty series."""
    rows = database.rows(
        "SELECT series, last_time FROM series WHERE dataset = ? AND last_time IS NOT NULL", (spec.name,)
    )
    return {tuple(json.loads(series)): last for series, last in rows}


def restart(database: Database, spec: DatasetSpec, *, version: int) -> None:
    """Derive the state anew from the rows in the cache, and have the source fill the history as at first.

    What the ledger of gaps says of them stays said, and waits for the repo that is to come: healed lines, when an open
    gap was seen and what was asked about it, and open gaps of a time before the rows that are left.
    """
    ledger = gaps_of(spec)
    lines = None if ledger is None else Table.of(database, ledger).read()
    database.execute("DELETE FROM series WHERE dataset = ?", (spec.name,))
    if ledger is not None:
        Table.of(database, ledger).delete()
    note_rows(database, spec, Table.of(database, spec).read(), version=version)
    if ledger is not None and lines is not None:
        kept = [series_gaps.confirmed(database, spec, lines), series_gaps.before_our_rows(database, spec, lines)]
        Table.of(database, ledger).put(pl.concat(kept), version=version)
    database.execute("UPDATE series SET last_time = NULL WHERE dataset = ?", (spec.name,))


def note_rows(database: Database, spec: DatasetSpec, rows: pl.DataFrame, *, version: int) -> None:
    """Record rows that are stored now: how far series reach, which rows came, which gaps opened or healed."""
    if rows.is_empty():
        return
    reach = [spec.time_ms().min().alias("first"), spec.time_ms().max().alias("last")]
    names = spec.series_columns
    found = rows.group_by(names).agg(reach) if names else rows.select(reach)
    database.execute_many(
        "INSERT INTO series (dataset, series, first_time, last_time) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (dataset, series) DO UPDATE SET first_time = min(first_time, excluded.first_time), "
        "last_time = max(coalesce(last_time, excluded.last_time), excluded.last_time)",
        [(spec.name, text(row[:-2]), row[-2], row[-1]) for row in found.rows()],
    )
    series_gaps.note_rows(database, spec, rows, version=version)


def text(series: Iterable[str]) -> str:
    """A series as its column here has it."""
    return json.dumps(list(series))
