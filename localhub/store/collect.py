"""Garbage collection: forgets what no branch or tag reaches, then frees the bytes nothing refers to.

Safe beside a running server, and without keeping it waiting: what is to go is looked up in reading transactions, which
hinder nobody, and goes in short writing ones. What was found dead stays dead meanwhile: no new commit can reach it, and
a commit that lands touches its contents (`Blobs.touch`), which are then too young to be freed. Killed anywhere, the
next collection goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from localhub.store.database import HubDatabase
from localhub.store.disk.blobs import Blobs

DEFAULT_GRACE_S = 3600.0
T = TypeVar("T")
_COMMITS_AT_ONCE = 250
_ROWS_AT_ONCE = 500
_FILES_AT_ONCE = 200
_LOCKED_S = 0.02
"""How long commits are kept out at a time while files are removed, which on a busy disk takes milliseconds each."""

Pause = Callable[[], None]
"""Called between two writing transactions; what it raises ends the work."""


@dataclass(frozen=True, kw_only=True)
class Freed:
    """What one collection removed."""

    commits: int
    files: int
    bytes: int


def at_once() -> None:
    """A pause of no time."""


def collect(database: HubDatabase, blobs: Blobs, *, grace_s: float = DEFAULT_GRACE_S) -> Freed:
    """Forget what is not reached, then free what that leaves; as `forget_unreachable` and `free`."""
    commits = forget_unreachable(database)
    files, size = free(database, blobs, grace_s=grace_s)
    database.shrink(pause=at_once)
    return Freed(commits=commits, files=files, bytes=size)


def forget_unreachable(database: HubDatabase, *, pause: Pause = at_once) -> int:
    """Forget the commits that no branch or tag reaches, and what only they held; returns how many they were.

    One that is tagged meanwhile stays, its earlier ones may be gone.
    """
    with database.read() as con:
        unreachable = con.execute(
            "WITH RECURSIVE reached (id) AS ("
            "  SELECT commit_id FROM refs UNION SELECT parent_id FROM commits JOIN reached USING (id) "
            "  WHERE parent_id IS NOT NULL"
            ") SELECT id FROM commits WHERE id NOT IN (SELECT id FROM reached) ORDER BY id"
        ).fetchall()
    commits = 0
    for batch in _batches(unreachable, _COMMITS_AT_ONCE):
        with database.write() as con:
            commits += con.executemany(
                "DELETE FROM commits WHERE id = ? AND id NOT IN (SELECT commit_id FROM refs)", batch
            ).rowcount
        pause()
    _forget_entries(database, pause)
    _forget_lines(database)
    return commits


def free(database: HubDatabase, blobs: Blobs, *, grace_s: float, pause: Pause = at_once) -> tuple[int, int]:
    """Remove content nobody refers to that was last touched longer than `grace_s` seconds ago; returns files, bytes.

    The grace covers uploads whose commit is still to come.
    """
    deadline_ns = time.time_ns() - int(grace_s * 1e9)  # before the look, so that what lands after it is younger
    files, size = blobs.discard_abandoned(before_ns=deadline_ns)
    with database.read() as con:
        rows = con.execute("SELECT DISTINCT sha256 FROM entries WHERE sha256 IS NOT NULL ORDER BY sha256")
        unwanted = _unwanted(blobs.stored(), (row["sha256"] for row in rows))
        for batch in _batches(unwanted, _FILES_AT_ONCE):
            while batch:
                with database.write():  # no commit lands while its contents are looked at
                    enough = time.monotonic() + _LOCKED_S
                    while batch and time.monotonic() < enough:
                        freed = blobs.remove(batch.pop(), before_ns=deadline_ns)
                        files, size = files + (freed is not None), size + (freed or 0)
                pause()
    if files:
        _forget_missing_uploads(database, blobs, pause)
    return files, size


def _forget_entries(database: HubDatabase, pause: Pause) -> None:
    """Forget the rows of trees that no commit shows, and no branch goes on from.

    The commits of a row are bounded on both sides, so that one step in the index finds one or sees that there is none.
    """
    last = (0, "", 0)
    while True:
        with database.read() as con:
            dead = con.execute(
                "SELECT line, path, since FROM entries WHERE (line, path, since) > (?, ?, ?) AND NOT EXISTS ("
                "  SELECT 1 FROM commits WHERE commits.line = entries.line AND commits.id >= entries.since "
                "  AND commits.id < coalesce(entries.until, 9223372036854775807)"
                ") AND NOT (until IS NULL AND EXISTS (SELECT 1 FROM refs WHERE refs.line = entries.line)) "
                "ORDER BY line, path, since LIMIT ?",
                (*last, _ROWS_AT_ONCE),
            ).fetchall()
        if not dead:
            return
        with database.write() as con:
            con.executemany("DELETE FROM entries WHERE line = ? AND path = ? AND since = ?", dead)
        last = (dead[-1]["line"], dead[-1]["path"], dead[-1]["since"])
        pause()


def _forget_lines(database: HubDatabase) -> None:
    """Forget the lines of branches that are gone; their rows went before."""
    with database.read() as con:
        dead = con.execute(
            "SELECT id FROM lines WHERE id NOT IN ("
            "  SELECT line FROM refs WHERE line IS NOT NULL UNION SELECT line FROM commits)"
        ).fetchall()
    if dead:
        with database.write() as con:
            con.executemany("DELETE FROM lines WHERE id = ?", dead)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _unwanted(stored: Iterable[str], wanted: Iterator[str]) -> Iterator[str]:
    """Those stored that are not wanted; both come sorted, so that neither has to be held."""
    next_wanted = next(wanted, None)
    for name in stored:
        while next_wanted is not None and next_wanted < name:
            next_wanted = next(wanted, None)
        if name != next_wanted:
            yield name


def _forget_missing_uploads(database: HubDatabase, blobs: Blobs, pause: Pause) -> None:
    """An upload whose bytes were freed has to be made again."""
    with database.read() as con:
        rows = con.execute("SELECT DISTINCT sha256 FROM uploads ORDER BY sha256")
        gone = list(_unwanted((row["sha256"] for row in rows), blobs.stored()))
    for batch in _batches(gone, _ROWS_AT_ONCE):
        with database.write() as con:
            con.executemany(
                "DELETE FROM uploads WHERE repo_id IN (SELECT id FROM repos) AND sha256 = ?",
                [(sha256,) for sha256 in batch if not blobs.has(sha256)],
            )
        pause()
