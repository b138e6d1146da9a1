"""The local index of commits, trees and file contents, in SQLite, so that no request needs a listing from the Hub.

It holds only what the Hub can be asked for again; no rows of a dataset live here.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from api.engine.hub.reader import HubCommit
from datahub_assets.domain.hub_files import HubFile
from datahub_system.files.private import check_file, private_folder

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS heads (
    source TEXT PRIMARY KEY, sha TEXT NOT NULL, at_ms INTEGER NOT NULL, title TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS trees (source TEXT, sha TEXT, files BLOB NOT NULL, PRIMARY KEY (source, sha)) STRICT;
CREATE TABLE IF NOT EXISTS commits (
    source TEXT, position INTEGER, sha TEXT NOT NULL, at_ms INTEGER NOT NULL, title TEXT NOT NULL,
    PRIMARY KEY (source, position)) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS commit_by_sha ON commits (source, sha);
CREATE INDEX IF NOT EXISTS commit_by_time ON commits (source, at_ms, position);
CREATE TABLE IF NOT EXISTS unlisted_commits (
    source TEXT, sha TEXT, at_ms INTEGER NOT NULL, title TEXT NOT NULL, PRIMARY KEY (source, sha)) STRICT;
CREATE TABLE IF NOT EXISTS refs (source TEXT, name TEXT, sha TEXT NOT NULL, PRIMARY KEY (source, name)) STRICT;
CREATE TABLE IF NOT EXISTS contents (
    content_id TEXT, reading TEXT, content BLOB NOT NULL, PRIMARY KEY (content_id, reading)) STRICT;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_KEPT_TREES: Final = 64
_UNLISTED_KEPT: Final = 1000


class Catalog:
    """One database for all sources; a `source` is an endpoint and a repo. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        check_file(path)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def head(self, source: str) -> HubCommit | None:
        """The commit that was served last."""
        return _commit(self._one("SELECT sha, at_ms, title FROM heads WHERE source = ?", source))

    def set_head(self, source: str, commit: HubCommit) -> None:
        """Remember the commit that is served now."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)", (source, commit.sha, commit.at_ms, commit.title)
            )

    def tree(self, source: str, sha: str) -> tuple[HubFile, ...] | None:
        """The files of a commit, if they are known."""
        row = self._one("SELECT files FROM trees WHERE source = ? AND sha = ?", source, sha)
        return None if row is None else msgspec.msgpack.decode(row[0], type=tuple[HubFile, ...])

    def add_tree(self, source: str, sha: str, files: Sequence[HubFile]) -> None:
        """Remember the files of a commit; the trees remembered longest ago give way."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO trees VALUES (?, ?, ?)", (source, sha, msgspec.msgpack.encode(files)))
            db.execute(
                "DELETE FROM trees WHERE source = ?1 AND sha <> (SELECT sha FROM heads WHERE source = ?1)"
                " AND rowid NOT IN (SELECT rowid FROM trees WHERE source = ?1 ORDER BY rowid DESC LIMIT ?2)",
                (source, _KEPT_TREES),
            )

    def append_commits(self, source: str, newest_first: Sequence[HubCommit], *, replace: bool) -> None:
        """Add commits on top of those known; `replace` forgets those first (the history was rewritten)."""
        with self._transaction() as db:
            if replace:
                db.execute("DELETE FROM commits WHERE source = ?", (source,))
            top = db.execute("SELECT coalesce(max(position), 0) FROM commits WHERE source = ?", (source,)).fetchone()[0]
            db.executemany(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?)",
                [
                    (source, top + offset, commit.sha, commit.at_ms, commit.title)
                    for offset, commit in enumerate(reversed(newest_first), start=1)
                ],
            )

    def newest_commit(self, source: str) -> HubCommit | None:
        """The newest commit of the index."""
        return _commit(
            self._one(
                "SELECT sha, at_ms, title FROM commits WHERE source = ? ORDER BY position DESC LIMIT 1",
                source,
            )
        )

    def oldest_unnamed_commit(self, source: str) -> HubCommit | None:
        """The oldest commit of the index that no branch or tag names."""
        return _commit(
            self._one(
                "SELECT sha, at_ms, title FROM commits WHERE source = ?1"
                " AND sha NOT IN (SELECT sha FROM refs WHERE source = ?1) ORDER BY position LIMIT 1",
                source,
            )
        )

    def named_before(self, source: str, at_ms: int) -> tuple[str, HubCommit] | None:
        """The last commit outside the index made at `at_ms` or earlier that a branch or tag names, and that name."""
        row = self._one(
            "SELECT name, sha, at_ms, title FROM refs JOIN unlisted_commits USING (source, sha)"
            " WHERE source = ? AND at_ms <= ? ORDER BY at_ms DESC, name LIMIT 1",
            source,
            at_ms,
        )
        return None if row is None else (str(row[0]), HubCommit(*row[1:]))

    def commit(self, source: str, sha: str) -> HubCommit | None:
        """The commit of that sha, if the index has it, or the table of commits outside it."""
        for table in ("commits", "unlisted_commits"):
            found = self._one(f"SELECT sha, at_ms, title FROM {table} WHERE source = ? AND sha = ?", source, sha)  # noqa: S608
            if found is not None:
                return _commit(found)
        return None

    def is_indexed(self, source: str, sha: str) -> bool:
        """Whether the commit is in the indexed history; one that was only asked for is not."""
        return self._one("SELECT 1 FROM commits WHERE source = ? AND sha = ?", source, sha) is not None

    def add_unlisted(self, source: str, commit: HubCommit) -> None:
        """Remember a commit that is not in the indexed history; those remembered longest ago give way."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO unlisted_commits VALUES (?, ?, ?, ?)",
                (source, commit.sha, commit.at_ms, commit.title),
            )
            db.execute(
                "DELETE FROM unlisted_commits WHERE source = ?1 AND rowid NOT IN"
                " (SELECT rowid FROM unlisted_commits WHERE source = ?1 ORDER BY rowid DESC LIMIT ?2)",
                (source, _UNLISTED_KEPT),
            )

    def commit_before(self, source: str, at_ms: int) -> HubCommit | None:
        """The last commit made at `at_ms` or earlier."""
        return _commit(
            self._one(
                "SELECT sha, at_ms, title FROM commits WHERE source = ? AND at_ms <= ?"
                " ORDER BY at_ms DESC, position DESC LIMIT 1",
                source,
                at_ms,
            )
        )

    def commits(self, source: str, *, limit: int, before: str | None = None) -> list[HubCommit]:
        """Commits newest first, at most `limit`, from the one before sha `before` on."""
        condition = " AND position < (SELECT position FROM commits WHERE source = ?1 AND sha = ?3)" if before else ""
        with self._lock:
            rows = self._db.execute(
                f"SELECT sha, at_ms, title FROM commits WHERE source = ?1{condition} ORDER BY position DESC LIMIT ?2",  # noqa: S608
                (source, limit, before) if before else (source, limit),
            ).fetchall()
        return [HubCommit(*row) for row in rows]

    def commit_count(self, source: str) -> int:
        """How many commits the index holds."""
        row = self._one("SELECT count(*) FROM commits WHERE source = ?", source)
        return int(row[0]) if row else 0

    def refs(self, source: str) -> dict[str, str]:
        """Branches and tags: name -> sha."""
        with self._lock:
            return dict(
                self._db.execute("SELECT name, sha FROM refs WHERE source = ? ORDER BY name", (source,)).fetchall()
            )

    def set_refs(self, source: str, refs: dict[str, str]) -> None:
        """Replace the branches and tags of a source."""
        with self._transaction() as db:
            db.execute("DELETE FROM refs WHERE source = ?", (source,))
            db.executemany("INSERT INTO refs VALUES (?, ?, ?)", [(source, name, sha) for name, sha in refs.items()])

    def content(self, content_id: str, reading: str) -> bytes | None:
        """What `add_content` kept under that content and way of reading it."""
        row = self._one("SELECT content FROM contents WHERE content_id = ? AND reading = ?", content_id, reading)
        return None if row is None else bytes(row[0])

    def add_content(self, content_id: str, reading: str, content: bytes) -> None:
        """Keep what was learned by reading a file's content."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", (content_id, reading, content))

    def forget_contents(self, *, keep: Collection[str]) -> None:
        """Drop what is kept of contents other than these."""
        with self._transaction() as db:
            db.execute("CREATE TEMP TABLE IF NOT EXISTS kept (content_id TEXT PRIMARY KEY)")
            db.execute("DELETE FROM kept")
            db.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(content_id,) for content_id in keep])
            db.execute("DELETE FROM contents WHERE content_id NOT IN (SELECT content_id FROM kept)")

    def note(self, name: str) -> str | None:
        """A remembered value."""
        row = self._one("SELECT value FROM notes WHERE name = ?", name)
        return None if row is None else str(row[0])

    def set_note(self, name: str, value: str) -> None:
        """Remember a value across restarts."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def _one(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _commit(row: tuple[Any, ...] | None) -> HubCommit | None:
    return None if row is None else HubCommit(*row)
