"""Lines of one cache taken into another: commits, what was learned of the Hub, notes, rechecks, the quarantine."""
# ruff: noqa: S608 - names of our own tables; every value is bound

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from datahub_assets.stores.cache.database import Database

Line = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A table whose lines are carried over, and what becomes of one that is there already: it stays, or is merged."""

    table: str
    columns: tuple[str, ...]
    merged: str = "DO NOTHING"


COMMITS: Final = Carried(
    "commits",
    ("dataset", "repo", "sha", "at", "rows", "bytes"),
    # The head is known by now, as if it had been committed this moment.
    merged="(repo, sha) DO UPDATE SET at = excluded.at, rows = excluded.rows, bytes = excluded.bytes",
)
FACTS: Final = Carried("hub_facts", ("name", "value"))
NOTES: Final = Carried("notes", ("dataset", "name", "value"))
RECHECKS: Final = Carried("rechecks", ("dataset", "series", "tried_at", "done_at"))
QUARANTINE: Final = Carried("quarantine", ("dataset", "subject", "reason", "raw", "at_ms", "first_seen", "last_seen"))


def lines(database: Database, carried: Carried) -> list[Line]:
    """All lines of a table."""
    return database.rows(f"SELECT {', '.join(carried.columns)} FROM {carried.table}")


def take_in(database: Database, carried: Carried, told: Iterable[Line]) -> None:
    """Add lines of another cache."""
    marks = ", ".join("?" * len(carried.columns))
    sql = f"INSERT INTO {carried.table} ({', '.join(carried.columns)}) VALUES ({marks}) ON CONFLICT {carried.merged}"
    with database.transaction():
        database.execute_many(sql, told)
