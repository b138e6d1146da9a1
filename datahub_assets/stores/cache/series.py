"""The state of each series in the cache: its first and last row, and when its last rows were asked for again.

What a series should hold is in `series_gaps`.

It outlives pruning, so that an old row leaving the cache never makes the source fetch it again.
"""

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass

import polars as pl

from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.domain.rechecks import Recheck
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.series_gaps import SeriesGaps
from datahub_assets.stores.cache.tables import Table


def create(database: Database) -> None:
    """Make the tables unless they are there."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS series (dataset TEXT NOT NULL, series TEXT NOT NULL, first_time INTEGER NOT NULL, "
        "last_time INTEGER, closed_first INTEGER, closed_until INTEGER, PRIMARY KEY (dataset, series)) "
        "STRICT, WITHOUT ROWID"
    )
    # A table of its own, which a cache of before it gains and which earlier versions of the project leave alone.
    database.execute(
        "CREATE TABLE IF NOT EXISTS rechecks (dataset TEXT NOT NULL, series TEXT NOT NULL, tried_at INTEGER NOT NULL, "
        "done_at INTEGER, PRIMARY KEY (dataset, series)) STRICT, WITHOUT ROWID"
    )


@dataclass(frozen=True, slots=True)
class SeriesState:
    """The state of the series of one dataset."""

    database: Database
    spec: DatasetSpec

    def last_times(self) -> dict[Series, int]:
        """Time (epoch ms) of the last row ever stored, per series; of rows that form none under the empty series."""
        rows = self.database.rows(
            "SELECT series, last_time FROM series WHERE dataset = ? AND last_time IS NOT NULL", (self.spec.name,)
        )
        return {tuple(json.loads(series)): last for series, last in rows}

    def rechecks(self) -> dict[Series, Recheck]:
        """When each series was last asked for again; those that never were are not in it."""
        rows = self.database.rows("SELECT series, tried_at, done_at FROM rechecks WHERE dataset = ?", (self.spec.name,))
        return {tuple(json.loads(series)): Recheck(tried_at, done_at) for series, tried_at, done_at in rows}

    def note_rechecks(self, asked: Iterable[Series], *, failed: Container[Series], now_ms: int) -> None:
        """These series were asked for again, and all but the failed ones answered; what came has landed."""
        with self.database.transaction():
            self.database.execute_many(
                "INSERT INTO rechecks (dataset, series, tried_at, done_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (dataset, series) DO UPDATE SET tried_at = excluded.tried_at, "
                "done_at = coalesce(excluded.done_at, done_at)",
                [(self.spec.name, text(one), now_ms, None if one in failed else now_ms) for one in asked],
            )

    def restart(self, *, version: int, now_ms: int) -> None:
        """Derive the state anew from the rows in the cache, and have the source fill the history as at first.

        What the ledger of gaps says of them stays said, and waits for the repo that is to come: healed lines, when an
        open gap was seen and what was asked about it, and open gaps of a time before the rows that are left.
        """
        ledger = gaps_of(self.spec)
        lines = None if ledger is None else Table.of(self.database, ledger).read()
        self.database.execute("DELETE FROM series WHERE dataset = ?", (self.spec.name,))
        if ledger is not None:
            Table.of(self.database, ledger).delete()
        self.note_rows(Table.of(self.database, self.spec).read(), version=version)
        if ledger is not None and lines is not None:
            told = SeriesGaps(self.database, self.spec)
            kept = [told.confirmed(lines, version=version, now_ms=now_ms), told.before_our_rows(lines)]
            Table.of(self.database, ledger).put(pl.concat(kept), version=version)
        self.database.execute("UPDATE series SET last_time = NULL WHERE dataset = ?", (self.spec.name,))

    def note_rows(self, rows: pl.DataFrame, *, version: int) -> None:
        """Record rows that are stored now: how far series reach, which rows came, which gaps opened or healed."""
        if rows.is_empty():
            return
        reach = [self.spec.time_ms().min().alias("first"), self.spec.time_ms().max().alias("last")]
        names = self.spec.series_columns
        found = rows.group_by(names).agg(reach) if names else rows.select(reach)
        self.database.execute_many(
            "INSERT INTO series (dataset, series, first_time, last_time) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (dataset, series) DO UPDATE SET first_time = min(first_time, excluded.first_time), "
            "last_time = max(coalesce(last_time, excluded.last_time), excluded.last_time)",
            [(self.spec.name, text(row[:-2]), row[-2], row[-1]) for row in found.rows()],
        )
        SeriesGaps(self.database, self.spec).note_rows(rows, version=version)


def text(series: Iterable[str]) -> str:
    """A series as its column here has it."""
    return json.dumps(list(series))
