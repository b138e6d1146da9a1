"""Garbage collection: forgets what no branch or tag reaches, then frees the bytes nothing refers to.

Safe beside a running server: rows go in one transaction, files in a second one that keeps commits out while it looks
and deletes.
"""

import sqlite3
from dataclasses import dataclass

from localhub.store.database import HubDatabase
from localhub.store.disk.blobs import Blobs

DEFAULT_GRACE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Freed:
    """What one collection removed."""

    commits: int
    files: int
    bytes: int


def collect(database: HubDatabase, blobs: Blobs, *, grace_s: float = DEFAULT_GRACE_S) -> Freed:
    """Remove unreachable commits, and content nobody refers to that was last touched `grace_s` seconds ago or earlier.

    The grace covers uploads whose commit is still to come.
    """
    with database.write() as con:
        commits = _forget_unreachable(con)
    with database.write() as con:
        rows = con.execute("SELECT DISTINCT sha256 FROM entries WHERE sha256 IS NOT NULL")
        files, size = blobs.prune({row["sha256"] for row in rows}, older_than_s=grace_s)
        _forget_missing_uploads(con, blobs)
    database.shrink()
    return Freed(commits=commits, files=files, bytes=size)


def _forget_unreachable(con: sqlite3.Connection) -> int:
    removed = con.execute(
        "DELETE FROM commits WHERE id NOT IN ("
        "  WITH RECURSIVE reached (id) AS ("
        "    SELECT commit_id FROM refs UNION SELECT parent_id FROM commits JOIN reached USING (id) "
        "    WHERE parent_id IS NOT NULL"
        "  ) SELECT id FROM reached)"
    ).rowcount
    con.execute(
        "DELETE FROM lines WHERE id NOT IN ("
        "  SELECT line FROM refs WHERE line IS NOT NULL UNION SELECT line FROM commits)"
    )
    con.execute(
        "DELETE FROM entries WHERE NOT EXISTS ("
        "  SELECT 1 FROM commits WHERE commits.line = entries.line AND commits.id >= entries.since "
        "  AND (entries.until IS NULL OR commits.id < entries.until)"
        ") AND NOT (until IS NULL AND EXISTS (SELECT 1 FROM refs WHERE refs.line = entries.line))"
    )
    con.execute(  # on a line that lost its newest commits, what they replaced holds again: views rely on it
        "UPDATE entries SET until = NULL "
        "WHERE until > (SELECT max(commits.id) FROM commits WHERE commits.line = entries.line)"
    )
    return removed


def _forget_missing_uploads(con: sqlite3.Connection, blobs: Blobs) -> None:
    """An upload whose bytes were freed has to be made again."""
    gone = [row["sha256"] for row in con.execute("SELECT DISTINCT sha256 FROM uploads") if not blobs.has(row["sha256"])]
    con.executemany("DELETE FROM uploads WHERE sha256 = ?", [(sha256,) for sha256 in gone])
