"""What a disk holds after a power cut: what was synced, and of the rest nothing, all, or a torn part.

Knows SQLite's write-ahead log (a commit is durable once its frames are synced; what follows may be lost or torn) and
plain files (content is durable after fsync, a name after fsync of its folder).
"""

import os
import shutil
from enum import StrEnum
from pathlib import Path


class Unsynced(StrEnum):
    """What became of writes nobody had synced."""

    KEPT = "kept"
    LOST = "lost"
    TORN = "torn"


class Disk:
    """Follows the points of a tick (see `points`) and says what of the home would be left if the power went now."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._log = home / "cache.sqlite3-wal"
        self._synced_log: bytes | None = None
        self._in_transaction = False
        self._synced_files: set[Path] = set()
        self._renamed: set[Path] = set()
        self._unlinked: dict[Path, bytes] = {}
        self._folder_before: dict[Path, bytes] = {}

    def follow(self, point: str) -> None:
        """Take note of what a point means for durability."""
        when, _, what = point.partition(" ")
        if what == "close cache" or (what == "BEGIN" and when == "before" and not self._in_transaction):
            self._note_log()
        if when == "after" and what == "BEGIN":
            self._in_transaction = True
        elif when == "after" and what in {"COMMIT", "ROLLBACK"}:
            self._in_transaction = False
            self._note_log()
        elif when == "after" and what.split(" ")[0] in {"INSERT", "UPDATE", "DELETE"} and not self._in_transaction:
            self._note_log()
        elif what.endswith(("landing file", "landing folder")):
            self._follow_landing(when, what)

    def cut(self, target: Path, *, unsynced: Unsynced) -> None:
        """Copy the home as it would be found after the power came back."""
        shutil.copytree(self._home, target, copy_function=_copy_if_there, ignore=shutil.ignore_patterns("*-shm"))
        if unsynced is Unsynced.KEPT:
            return
        log = target / self._log.name
        if log.exists():
            self._cut_log(log, unsynced)
        for folder in (target / "landing").glob("*"):
            for path in folder.glob("*.partial"):
                if self._original(path, target) not in self._synced_files:
                    _shorten(path, by=path.stat().st_size if unsynced is Unsynced.LOST else path.stat().st_size // 2)
        if unsynced is Unsynced.LOST:
            for path in self._renamed:
                (target / path.relative_to(self._home)).rename(
                    (target / path.relative_to(self._home)).with_suffix(".partial")
                )
            for path, content in self._unlinked.items():
                (target / path.relative_to(self._home)).write_bytes(content)

    def _note_log(self) -> None:
        self._synced_log = self._log.read_bytes() if self._log.exists() else None

    def _cut_log(self, log: Path, unsynced: Unsynced) -> None:
        found, synced = log.read_bytes(), self._synced_log or b""
        if unsynced is Unsynced.TORN and found.startswith(synced):
            synced = found[: len(synced) + (len(found) - len(synced)) // 2]
        log.write_bytes(synced)

    def _follow_landing(self, when: str, what: str) -> None:
        files = {path: path.read_bytes() for path in (self._home / "landing").glob("*/*") if path.is_file()}
        if when == "before":
            self._folder_before = files
        elif what == "fsync landing file":
            self._synced_files |= {path for path in files if path.suffix == ".partial"}
        elif what == "rename landing file":
            self._renamed |= files.keys() - self._folder_before.keys()
        elif what == "unlink landing file":
            self._unlinked |= {path: self._folder_before[path] for path in self._folder_before.keys() - files.keys()}
            self._renamed -= self._unlinked.keys()
        elif what == "fsync landing folder":
            self._renamed.clear()
            self._unlinked.clear()

    def _original(self, path: Path, target: Path) -> Path:
        return self._home / path.relative_to(target)


def _copy_if_there(source: str, target: str) -> None:
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return  # another thread was faster: the file was only there for a moment


def _shorten(path: Path, *, by: int) -> None:
    os.truncate(path, path.stat().st_size - by)
