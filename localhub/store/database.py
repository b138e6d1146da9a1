"""The SQLite file: its schema, its connections and its two kinds of transaction."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT_S = 60.0
_PAGES_AT_ONCE = 256
_WAL_BYTES = 16 * 1024 * 1024  # what is left of the write-ahead log after one that was larger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, created_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS repos (
    id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL, kind TEXT NOT NULL,
    namespace TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
    private INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    UNIQUE (kind, namespace, name)
);
CREATE TABLE IF NOT EXISTS former_names (
    kind TEXT NOT NULL, namespace TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
    repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, namespace, name)
);
CREATE TABLE IF NOT EXISTS lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS lines_of_repo ON lines (repo_id);
CREATE TABLE IF NOT EXISTS commits (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
    sha TEXT NOT NULL, parent_id INTEGER, line INTEGER NOT NULL,
    title TEXT NOT NULL, message TEXT NOT NULL, author TEXT NOT NULL, created_ms INTEGER NOT NULL,
    UNIQUE (repo_id, sha)
);
CREATE INDEX IF NOT EXISTS commits_of_line ON commits (line, id);
CREATE TABLE IF NOT EXISTS refs (
    repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
    name TEXT NOT NULL, commit_id INTEGER NOT NULL, line INTEGER,
    PRIMARY KEY (repo_id, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS branch_of_line ON refs (line) WHERE line IS NOT NULL;
CREATE TABLE IF NOT EXISTS entries (
    line INTEGER NOT NULL REFERENCES lines (id) ON DELETE CASCADE,
    path TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER,
    parent TEXT, changed INTEGER NOT NULL,
    sha256 TEXT, oid TEXT NOT NULL, size INTEGER NOT NULL, lfs INTEGER NOT NULL, files INTEGER NOT NULL,
    PRIMARY KEY (line, path, since)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS live_entries ON entries (line, path) WHERE until IS NULL;
CREATE INDEX IF NOT EXISTS live_children ON entries (line, parent, path) WHERE until IS NULL;
CREATE INDEX IF NOT EXISTS all_children ON entries (line, parent, path, since);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
    repo_id INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE, sha256 TEXT NOT NULL,
    PRIMARY KEY (repo_id, sha256)
) WITHOUT ROWID;
"""


class HubDatabase:
    """Connections to one SQLite file, handed out per transaction; safe to use from many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        with self._borrowed() as con:
            con.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only takes on a new file, before WAL and the first table
            con.execute("PRAGMA journal_mode = WAL")
            con.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of everything, however long it runs."""
        with self._borrowed() as con:
            con.execute("BEGIN")
            try:
                yield con
            finally:
                con.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; durable on disk once left without an exception."""
        with self._borrowed() as con:
            con.execute("BEGIN IMMEDIATE")
            try:
                yield con
            except BaseException:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    def shrink(self, *, pause: Callable[[], None]) -> None:
        """Give the pages of deleted rows back to the file system, some at a time and with a pause between."""
        with self._borrowed() as con:
            free = _free_pages(con)
            while free:
                con.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")  # `execute` would free one page
                before, free = free, _free_pages(con)
                if free >= before:  # others freed as many, or the file is of a kind that cannot shrink
                    break
                pause()
            con.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # the others wait for readers, and all for them

    def close(self) -> None:
        """Close the idle connections; call once no transaction is open."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        try:
            con = self._idle.pop()
        except IndexError:
            con = self._connect()
        try:
            yield con
        finally:
            self._idle.append(con)

    def _connect(self) -> sqlite3.Connection:
        con = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        con.row_factory = sqlite3.Row
        con.execute("PRAGMA synchronous = FULL")
        con.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        con.execute("PRAGMA foreign_keys = ON")
        return con


def _free_pages(con: sqlite3.Connection) -> int:
    return int(con.execute("PRAGMA freelist_count").fetchone()[0])
