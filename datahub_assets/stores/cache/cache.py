"""The SQLite cache: rows between upstream and Hub, the outbox of what no commit carries yet, and the quarantine."""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from datahub_assets.datasets.ledgers import parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheUnusable
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.rows import Rejected, from_epoch_ms, merge, supersede
from datahub_assets.domain.sql_names import quoted
from datahub_assets.domain.times import HOUR_MS
from datahub_assets.stores import landing
from datahub_assets.stores.cache import quarantine, repo_state, schema, transfer
from datahub_assets.stores.cache.commit_budget import CommitBudget
from datahub_assets.stores.cache.corrections import Corrections
from datahub_assets.stores.cache.database import Database
from datahub_assets.stores.cache.outcomes import Drained, Pruned, Upserted
from datahub_assets.stores.cache.quarantine import Quarantine
from datahub_assets.stores.cache.repo_state import RepoMemory
from datahub_assets.stores.cache.sealed_keys import SealedKeys
from datahub_assets.stores.cache.series import SeriesState
from datahub_assets.stores.cache.series_gaps import Followed, SeriesGaps, every
from datahub_assets.stores.cache.tables import BATCH_ROWS, Outbox, Table
from datahub_assets.stores.cache.transfer import Carried, Line

PRUNE_EVERY_MS: Final = HOUR_MS
PAUSE_NOTE: Final = "pause_until_ms"
"""Note of until when (epoch ms) a dataset's upstream wants no request; until then no run begins."""


class Cache:
    """The cache file, open. Use as a context manager; several processes may have it open at once."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the cache and make what is missing in it.

        Raises:
            CacheUnusable: damaged, no database, or written by a newer version of this project.
            CacheFull: no room to create it.
        """
        database = Database.open(path)
        try:
            schema.complete(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def check(self) -> None:
        """Look for damage in the file, and write to it without changing anything.

        Raises:
            CacheUnusable: it is damaged.        CacheError: it cannot be read or written.
        """
        schema.check(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where the file lies; what belongs to it may lie beside it."""
        return self.database.path.parent

    @property
    def budget(self) -> CommitBudget:
        """How often we may commit."""
        return CommitBudget(self.database)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing. Inside another transaction it is part of that one."""
        return self.database.transaction()

    def table(self, part: DatasetSpec | LedgerSpec) -> Table:
        """The rows of a dataset, or its lines in a ledger."""
        return Table.of(self.database, part)

    def repo(self, spec: DatasetSpec) -> RepoMemory:
        """What is remembered of the dataset's repo."""
        return RepoMemory(self.database, spec)

    def sealed_keys(self, spec: DatasetSpec) -> SealedKeys:
        """Which sealed file of the repo holds which key."""
        return SealedKeys(self.database, spec)

    def series(self, spec: DatasetSpec) -> SeriesState:
        """How far the series of the dataset reach."""
        return SeriesState(self.database, spec)

    def gaps(self, spec: DatasetSpec) -> SeriesGaps:
        """What the series of the dataset should hold, and which gaps they have."""
        return SeriesGaps(self.database, spec)

    def corrections(self, spec: DatasetSpec) -> Corrections:
        """The dataset's ledger of values that upstream changed afterwards."""
        return Corrections(self.database, spec)

    def quarantined(self, spec: DatasetSpec) -> Quarantine:
        """The dataset's rejected rows."""
        return Quarantine(self.database, spec)

    def drain(self, folder: Path, spec: DatasetSpec, *, now_ms: int, followed: Followed = every) -> Drained:
        """Take in all landing files of a dataset, each in a transaction of its own, and remove them.

        Killed in between, the next drain takes the same file again and finds its rows unchanged. A damaged file is
        renamed out of the way and reported, so that it does not stop the chain for ever. Of series that are not
        `followed` no new rows are expected.
        """
        landing.tidy(folder, spec, now_ms=now_ms)
        result = Drained()
        for path in landing.landed(folder, spec):
            try:
                checked = landing.read_landed(path, spec)
            except CacheUnusable:
                result += Drained(set_aside=(landing.set_aside(path),))
                continue
            with self.database.transaction():
                upserted = self.upsert(spec, checked.frame)
                quarantined = self.quarantine(checked.rejected, now_ms=now_ms)
            landing.discard(path)
            result += Drained(1, upserted, quarantined)
        self.gaps(spec).note_drained(followed=followed, now_ms=now_ms)
        return result

    def upsert(self, spec: DatasetSpec, frame: pl.DataFrame) -> Upserted:
        """Store rows by the domain's merge. Rows that say the same stay as they are, and published if they were."""
        rows = merge(spec, [frame])
        total = Upserted()
        with self.database.transaction():
            version = self.database.next_version()
            for chunk in rows.iter_slices(BATCH_ROWS):
                total += self._store(spec, chunk, version=version)
        return total

    def _store(self, spec: DatasetSpec, rows: pl.DataFrame, *, version: int) -> Upserted:
        table = self.table(spec)
        stored = table.matching(rows)
        changes = supersede(spec, stored=stored, incoming=rows)
        table.put(changes, version=version)
        self.series(spec).note_rows(rows, version=version)
        self.corrections(spec).note(before=stored, after=changes)
        inserted = changes.join(stored, on=list(spec.key), how="anti").height
        return Upserted(inserted, changes.height - inserted, rows.height - changes.height)

    def newest_of_each(self, spec: DatasetSpec) -> pl.DataFrame:
        """The newest row of each series, of a dataset whose rows are named by series and time."""
        last = self.series(spec).last_times()
        names = [*spec.series_columns, spec.time]
        kinds = {name: pl.Int64() if name == spec.time else pl.String() for name in names}
        keys = pl.DataFrame([(*series, time_ms) for series, time_ms in last.items()], schema=kinds, orient="row")
        return self.table(spec).matching(keys.with_columns(from_epoch_ms(pl.col(spec.time))))

    def quarantine(self, rejected: Iterable[Rejected], *, now_ms: int) -> int:
        """Keep rejected rows with their reason and what upstream sent; returns how many were not known yet."""
        with self.database.transaction():
            return quarantine.keep(self.database, rejected, now_ms=now_ms)

    def open_or_since(self, spec: DatasetSpec, *, since_ms: int) -> pl.DataFrame:
        """The stored rows that are not final, and those of `since_ms` (epoch ms) and later; in no order."""
        condition = f"{quoted(spec.time)} >= ?"
        if spec.final is not None:
            condition += f" OR NOT coalesce({quoted(spec.final)}, 0)"
        return self.table(spec).read(condition, (since_ms,))

    def waiting(self, spec: DatasetSpec | LedgerSpec) -> int:
        """How many rows no commit carries yet."""
        return self.table(spec).count("commit_id IS NULL")

    def unpublished(self, spec: DatasetSpec | LedgerSpec, *, limit: int | None = None) -> Outbox:
        """The rows no commit carries yet, those that changed first at first, and the versions read."""
        return self.table(spec).unpublished(limit=limit)

    def mark_published(self, spec: DatasetSpec, outboxes: Mapping[str, Outbox], *, commit_id: int) -> int:
        """Note the commit that carries exactly the versions read, of the dataset and its ledgers; returns how many."""
        with self.database.transaction():
            return sum(
                self.table(part).mark(outboxes[part.name].tickets, commit_id=commit_id) for part in parts_of(spec)
            )

    def adopt(self, spec: DatasetSpec, rows: pl.DataFrame, *, commit_id: int) -> int:
        """Take over rows a commit holds where they are better than ours by the rule of merge; returns how many.

        Another writer's later version of a row is what is published, whoever fetched it.
        """
        with self.database.transaction():
            table = self.table(spec)
            better = supersede(spec, stored=table.matching(rows), incoming=rows)
            version = self.database.next_version()
            table.put(better, version=version, commit_id=commit_id)
            self.series(spec).note_rows(better, version=version)
            return better.height

    def start_over(self, spec: DatasetSpec, *, now_ms: int) -> None:
        """Nothing is published any more: the repo is another one, or lost its content.

        All rows wait again, and the source fills the history anew, since what was pruned here is not there either.
        """
        with self.database.transaction():
            for part in parts_of(spec):
                self.table(part).unmark()
            self.series(spec).restart(version=self.database.next_version(), now_ms=now_ms)
            self.repo(spec).forget()

    def prune(self, spec: DatasetSpec, *, now_ms: int) -> Pruned:
        """Drop published rows past their retention and bound the quarantine, at most once an hour.

        The state of the series stays.
        """
        if now_ms < self.note(spec, "pruned_at", default=0) + PRUNE_EVERY_MS:
            return Pruned()
        with self.database.transaction():
            self.set_note(spec, "pruned_at", now_ms)
            dropped = self.quarantined(spec).prune(now_ms=now_ms)
            oldest = now_ms - spec.retention_ms
            old = f"commit_id IS NOT NULL AND {quoted(spec.time)} < ?"
            rows = self.table(spec).delete(old, (oldest,))
            # A row is committed after its time (an hour allows for clocks), so the commits of those that stay stay.
            self.repo(spec).prune(before_ms=oldest - HOUR_MS)
            return Pruned(rows, dropped)

    def note(self, spec: DatasetSpec, name: str, *, default: Any = None) -> Any:
        """A remembered value of a dataset, such as the last error (anything JSON can hold)."""
        text = self.database.scalar("SELECT value FROM notes WHERE dataset = ? AND name = ?", (spec.name, name))
        return default if text is None else json.loads(text)

    def set_note(self, spec: DatasetSpec, name: str, value: Any) -> None:
        """Remember a value of a dataset."""
        self.database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (spec.name, name, json.dumps(value)))

    def fact(self, name: str) -> Any:
        """Something learned of the Hub itself, whatever the dataset (anything JSON can hold), None when it was not."""
        return repo_state.fact(self.database, name)

    def set_fact(self, name: str, value: Any) -> None:
        """Remember something of the Hub itself."""
        repo_state.set_fact(self.database, name, value)

    def lines(self, carried: Carried) -> list[Line]:
        """All lines of a table that another cache can take in."""
        return transfer.lines(self.database, carried)

    def take_in(self, carried: Carried, told: Iterable[Line]) -> None:
        """Add lines of another cache."""
        transfer.take_in(self.database, carried, told)

    def next_version(self) -> int:
        """See `Database.next_version`."""
        return self.database.next_version()
