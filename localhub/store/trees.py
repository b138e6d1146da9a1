"""Which file and folder a path is at a commit, and how a commit changes that.

Rows live on a line, the run of commits one branch made. A row holds from commit `since` until before commit `until`
(NULL: still). Folders have rows too, kept in step by each change: how many files are below, which commit last changed
anything there, and a digest of the (path, oid) pairs below, the sum of their hashes modulo 2**160, so that it follows
a change without reading the siblings. The root folder is the path "".
"""

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from localhub.errors import bad_request
from localhub.names import shown

_DIGEST_MODULUS = 1 << 160


@dataclass(frozen=True, kw_only=True)
class File:
    """Content to be found at a path: its hash in the blob store and what git would call it.

    `oid` is the git blob id, of the content for a regular file and of the pointer for an LFS file. `size` is in bytes.
    """

    sha256: str
    oid: str
    size: int
    lfs: bool


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, or a folder (`file` is None), at a path. `changed` is the id of the commit that last changed it."""

    path: str
    oid: str
    changed: int
    files: int
    file: File | None


@dataclass(frozen=True, kw_only=True)
class View:
    """A tree to read: the line at the commit of this id; `live` if no later commit ever was on that line."""

    line: int
    commit_id: int
    live: bool


Changes = Mapping[str, File | None]  # path -> what it holds from now on, None for nothing


def new_line(con: sqlite3.Connection, *, repo_id: int) -> int:
    """An empty line; its tree can be read once a commit is on it."""
    line = con.execute("INSERT INTO lines (repo_id) VALUES (?)", (repo_id,)).lastrowid
    if line is None:
        raise sqlite3.InternalError("INSERT gave no row id")
    con.execute("INSERT INTO entries VALUES (?, '', 0, NULL, NULL, 0, NULL, ?, 0, 0, 0)", (line, "0" * 40))
    return line


def fork_line(con: sqlite3.Connection, view: View, *, repo_id: int) -> int:
    """A new line whose tree starts as `view`."""
    line = con.execute("INSERT INTO lines (repo_id) VALUES (?)", (repo_id,)).lastrowid
    if line is None:
        raise sqlite3.InternalError("INSERT gave no row id")
    con.execute(
        "INSERT INTO entries SELECT ?, path, ?, NULL, parent, changed, sha256, oid, size, lfs, files FROM entries "
        "WHERE line = ? AND since <= ? AND (until IS NULL OR until > ?)",
        (line, view.commit_id, view.line, view.commit_id, view.commit_id),
    )
    return line


def mark_all_changed(con: sqlite3.Connection, line: int, *, commit_id: int) -> None:
    """Let `commit_id` count as the last change of every path of a fresh line, as after a squash."""
    con.execute("UPDATE entries SET changed = ? WHERE line = ?", (commit_id, line))


def lookup(con: sqlite3.Connection, view: View, path: str) -> Entry | None:
    """What is at `path`, the root for ""; None if nothing is."""
    row = con.execute(
        "SELECT * FROM entries WHERE line = ? AND path = ? AND since <= ? ORDER BY since DESC LIMIT 1",
        (view.line, path, view.commit_id),
    ).fetchone()
    if row is None or (row["until"] is not None and row["until"] <= view.commit_id):
        return None
    return _entry(row)


def children(con: sqlite3.Connection, view: View, folder: str, *, after: str, limit: int) -> list[Entry]:
    """The entries directly in `folder`, by path, at most `limit` of those greater than `after`."""
    if view.live:
        rows = con.execute(
            "SELECT * FROM entries INDEXED BY live_children "
            "WHERE line = ? AND parent = ? AND path > ? AND until IS NULL ORDER BY path LIMIT ?",
            (view.line, folder, after, limit),
        )
    else:
        rows = con.execute(
            "SELECT * FROM entries WHERE line = ? AND parent = ? AND path > ? AND since <= ? "
            "AND (until IS NULL OR until > ?) ORDER BY path LIMIT ?",
            (view.line, folder, after, view.commit_id, view.commit_id, limit),
        )
    return [_entry(row) for row in rows]


def descendants(con: sqlite3.Connection, view: View, folder: str, *, after: str, limit: int) -> list[Entry]:
    """The entries below `folder` at any depth, by path, at most `limit` of those greater than `after`."""
    first, beyond = _range_below(folder)
    lower = max(first, after)
    if view.live:
        rows = con.execute(
            "SELECT * FROM entries INDEXED BY live_entries "
            "WHERE line = ? AND path > ? AND path < ? AND until IS NULL ORDER BY path LIMIT ?",
            (view.line, lower, beyond, limit),
        )
    else:
        rows = con.execute(
            "SELECT * FROM entries WHERE line = ? AND path > ? AND path < ? AND since <= ? "
            "AND (until IS NULL OR until > ?) ORDER BY path LIMIT ?",
            (view.line, lower, beyond, view.commit_id, view.commit_id, limit),
        )
    return [_entry(row) for row in rows]


def _range_below(folder: str) -> tuple[str, str]:
    """The open interval of the paths below a folder: "a" gives ("a/", "a0"), since "0" follows "/"."""
    return (f"{folder}/", f"{folder}0") if folder else ("", "\U0010ffff")


def effective(con: sqlite3.Connection, line: int, changes: Changes) -> dict[str, tuple[File | None, File | None]]:
    """Those changes that change anything, as path -> (before, after)."""
    result = {}
    for path, after in changes.items():
        before = _live_file(con, line, path)
        if before != after:
            result[path] = (before, after)
    return result


def apply(
    con: sqlite3.Connection,
    line: int,
    *,
    commit_id: int,
    changes: Mapping[str, tuple[File | None, File | None]],
) -> None:
    """Write what `effective` found as the tree of `commit_id`, the newest commit of its line.

    Raises:
        HubError: 400 if a path would be a file and a folder at once.
    """
    files_delta: dict[str, int] = defaultdict(int)
    digest_delta: dict[str, int] = defaultdict(int)
    for path, (before, after) in changes.items():
        if before is not None:
            _end(con, line, path, commit_id)
        for folder in ancestors(path):
            files_delta[folder] += (after is not None) - (before is not None)
            digest_delta[folder] += _contribution(path, after) - _contribution(path, before)
    for folder, delta in files_delta.items():
        _change_folder(con, line, folder, commit_id=commit_id, files=delta, digest=digest_delta[folder])
    for path, (_, after) in changes.items():
        if after is not None:
            _insert_file(con, line, path, commit_id=commit_id, file=after)


def ancestors(path: str) -> list[str]:
    """The folders a path lies in, innermost first, ending with the root ""."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]


def root_digest(con: sqlite3.Connection, line: int) -> str:
    """The digest of everything a line holds now."""
    root = _live(con, line, "")
    if root is None:
        raise LookupError(f"line {line} has no root folder")
    return str(root["oid"])


def _live(con: sqlite3.Connection, line: int, path: str) -> sqlite3.Row | None:
    """What a path holds now. The index is named because SQLite would else walk through every version there ever was."""
    found: sqlite3.Row | None = con.execute(
        "SELECT * FROM entries INDEXED BY live_entries WHERE line = ? AND path = ? AND until IS NULL", (line, path)
    ).fetchone()
    return found


def _live_file(con: sqlite3.Connection, line: int, path: str) -> File | None:
    row = _live(con, line, path)
    return None if row is None else _entry(row).file


def _end(con: sqlite3.Connection, line: int, path: str, commit_id: int) -> None:
    con.execute(
        "UPDATE entries INDEXED BY live_entries SET until = ? WHERE line = ? AND path = ? AND until IS NULL",
        (commit_id, line, path),
    )


def _insert_file(con: sqlite3.Connection, line: int, path: str, *, commit_id: int, file: File) -> None:
    if _live(con, line, path) is not None:
        raise bad_request(f"'{shown(path)}' is a folder and cannot be replaced by a file")
    con.execute(
        "INSERT INTO entries VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, 1)",
        (line, path, commit_id, ancestors(path)[0], commit_id, file.sha256, file.oid, file.size, file.lfs),
    )


def _contribution(path: str, file: File | None) -> int:
    if file is None:
        return 0
    return int.from_bytes(hashlib.sha1(f"{path}\0{file.oid}".encode(), usedforsecurity=False).digest())


def _change_folder(con: sqlite3.Connection, line: int, folder: str, *, commit_id: int, files: int, digest: int) -> None:
    row = _live(con, line, folder)
    if row is not None and row["sha256"] is not None:
        raise bad_request(f"'{shown(folder)}' is a file and cannot hold other files")
    count = files + (0 if row is None else row["files"])
    oid = (digest + (0 if row is None else int(row["oid"], 16))) % _DIGEST_MODULUS
    if row is not None:
        _end(con, line, folder, commit_id)
    if count or folder == "":
        parent = ancestors(folder)[0] if folder else None
        con.execute(
            "INSERT INTO entries VALUES (?, ?, ?, NULL, ?, ?, NULL, ?, 0, 0, ?)",
            (line, folder, commit_id, parent, commit_id, f"{oid:040x}", count),
        )


def _entry(row: sqlite3.Row) -> Entry:
    file = None
    if row["sha256"] is not None:
        file = File(sha256=row["sha256"], oid=row["oid"], size=row["size"], lfs=bool(row["lfs"]))
    return Entry(path=row["path"], oid=row["oid"], changed=row["changed"], files=row["files"], file=file)
