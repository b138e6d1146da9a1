"""Rejected rows, kept with their reason and what upstream sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import DAY_MS
from datahub_assets.stores.cache.database import Database

RETENTION_MS: Final = 90 * DAY_MS
MOST_LINES: Final = 100_000
"""Of one dataset: an upstream gone mad sends thousands of bad rows a minute, each another one."""


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one subject with one reason: how many, and when the first and the last was seen (epoch ms)."""

    dataset: str
    subject: str
    reason: str
    lines: int
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many lines were forgotten: last seen too long ago, and beyond the most that are kept."""

    old: int = 0
    surplus: int = 0


def create(database: Database) -> None:
    """Make the table unless it is there. The same bad row fetched every minute is one line, seen first and last."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS quarantine (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, subject TEXT NOT NULL, "
        "reason TEXT NOT NULL, raw TEXT NOT NULL, at_ms INTEGER, first_seen INTEGER NOT NULL, "
        "last_seen INTEGER NOT NULL, UNIQUE (dataset, subject, reason, raw)) STRICT"
    )


def keep(database: Database, rejected: Iterable[Rejected], *, now_ms: int) -> int:
    """Keep rows; returns how many were not known yet."""
    before = database.scalar("SELECT count(*) FROM quarantine")
    database.execute_many(
        "INSERT INTO quarantine (dataset, subject, reason, raw, at_ms, first_seen, last_seen) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (dataset, subject, reason, raw) "
        "DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
        [(row.dataset, row.subject, row.reason, row.raw, row.at_ms, now_ms) for row in rejected],
    )
    return int(database.scalar("SELECT count(*) FROM quarantine") - before)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The rejected rows of one dataset."""

    database: Database
    spec: DatasetSpec

    def count(self) -> int:
        """How many rows of a dataset are in quarantine."""
        return int(self.database.scalar("SELECT count(*) FROM quarantine WHERE dataset = ?", (self.spec.name,)))

    def groups(self) -> list[Group]:
        """What is in quarantine by subject and reason, those seen last first."""
        rows = self.database.rows(
            "SELECT dataset, subject, reason, count(*), min(first_seen), max(last_seen) FROM quarantine "
            "WHERE dataset = ? GROUP BY subject, reason ORDER BY max(last_seen) DESC, subject, reason",
            (self.spec.name,),
        )
        return [Group(*row) for row in rows]

    def latest(self, *, limit: int) -> list[dict[str, Any]]:
        """The rows seen last, with subject, reason, raw (JSON text), first_seen and last_seen (epoch ms)."""
        names = ("subject", "reason", "raw", "first_seen", "last_seen")
        rows = self.database.rows(
            "SELECT subject, reason, raw, first_seen, last_seen FROM quarantine WHERE dataset = ? "
            "ORDER BY last_seen DESC, id DESC LIMIT ?",
            (self.spec.name, limit),
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def prune(self, *, now_ms: int) -> Dropped:
        """Forget what was last seen long ago, and of more than `MOST_LINES` those last seen first."""
        old = self.database.execute(
            "DELETE FROM quarantine WHERE dataset = ? AND last_seen < ?", (self.spec.name, now_ms - RETENTION_MS)
        ).rowcount
        surplus = self.database.execute(
            "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE dataset = ? "
            "ORDER BY last_seen DESC, id DESC LIMIT -1 OFFSET ?)",
            (self.spec.name, MOST_LINES),
        ).rowcount
        return Dropped(old, surplus)
