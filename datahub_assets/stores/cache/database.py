"""One SQLite connection as the cache uses it: durable, shared, with typed errors."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from datahub_assets.domain.errors import CacheBusy, CacheError, CacheFull, CacheUnusable
from datahub_system.files.private import UnsafePath, check_file, make, make_file

BUSY_TIMEOUT_S: Final = 30.0
_LOG_BYTES: Final = 64 * 1024 * 1024
_BROKEN: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCKED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_MAYBE_FULL: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""What SQLite also says of a disk without room, as when the file beside the log cannot grow; it keeps no cause."""
_BESIDE: Final = ("-wal", "-shm", "-journal")
_NO_ROOM_BYTES: Final = 1024 * 1024


def is_full(folder: Path) -> bool:
    """Whether the disk of this folder has no room left to speak of, or can take no new file."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    # Some file systems count no files: they say 0 of 0.
    return disk.f_bavail * disk.f_frsize < _NO_ROOM_BYTES or (disk.f_files > 0 and disk.f_favail == 0)


class Database:
    """A connection in WAL mode with full durability; readers never wait for a writer, writers wait for each other."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open or create the file.

        Raises:
            CacheUnusable: it is no database or is damaged.
            CacheError: the folder cannot be written, or the file or one beside it is another user's, or leads through
                another user's link.
        """
        try:
            make(path.parent)
        except OSError as error:
            raise CacheError(f"cannot create {path.parent}: {error}") from error
        _refuse_strange(path)
        make_file(path)
        with _translated(path):
            connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            database = cls(path, connection)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                # FULL: a commit survives a power cut. The outbox promises that, and a tick commits only a few times.
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA temp_store = MEMORY")
                # A first fill makes the log as large as the cache; afterwards it shrinks again.
                connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
                connection.execute("PRAGMA cache_size = -65536")
                connection.execute("SELECT count(*) FROM sqlite_schema")
            except sqlite3.Error:
                connection.close()
                raise
        return database

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Inside another transaction of this connection it is part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement with bound values."""
        with _translated(self.path):
            return self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for many rows; returns how many rows of the table it changed."""
        with _translated(self.path):
            return self._connection.executemany(sql, rows).rowcount

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with _translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def chunks(self, sql: str, values: Sequence[Any] = (), *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query in lists of at most `size`."""
        with _translated(self.path):
            cursor = self._connection.execute(sql, values)
            while rows := cursor.fetchmany(size):
                yield rows

    def scalar(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first value of the first row, None when there is no row."""
        with _translated(self.path):
            row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def next_version(self) -> int:
        """A number no batch of rows had before; later batches have larger ones."""
        return int(self.scalar("UPDATE versions SET last = last + 1 RETURNING last"))


def _refuse_strange(path: Path) -> None:
    try:
        for suffix in ("", *_BESIDE):
            check_file(path.with_name(path.name + suffix))
    except UnsafePath as error:
        raise CacheError(f"the cache is not opened: {error}") from error
    except OSError as error:
        raise CacheError(f"the cache {path} cannot be looked at: {error}") from error


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours, each with the way out."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary == sqlite3.SQLITE_FULL or (primary in _MAYBE_FULL and is_full(path.parent)):
            raise CacheFull(
                f"no space left for the cache {path}: free some space; nothing of this write was kept"
            ) from error
        if primary in _LOCKED:
            raise CacheBusy(f"another process held the cache {path} for {BUSY_TIMEOUT_S:.0f} s") from error
        if primary in _BROKEN:
            raise CacheUnusable(
                f"the cache {path} is damaged ({error}): `datahub cache rebuild` moves it aside and makes a new one "
                "from the Hub; landed rows that are not in it yet stay in the landing folder"
            ) from error
        raise CacheError(f"the cache {path} failed: {error}") from error
