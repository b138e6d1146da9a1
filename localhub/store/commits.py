"""Making a commit and walking the history behind one.

The order of steps is the promise: content is durable before this is called, then one transaction writes commit, tree
and ref.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from datahub_system.clock import now_ms
from localhub.errors import bad_request, entry_not_found
from localhub.names import shown
from localhub.store import trees
from localhub.store.repos import Repo
from localhub.store.trees import Entry, File, View

_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit; `created_ms` is in milliseconds since 1970 UTC."""

    id: int
    sha: str
    parent_id: int | None
    line: int
    title: str
    message: str
    author: str
    created_ms: int


@dataclass(frozen=True, kw_only=True)
class CommitMessage:
    """What a person writes on a commit: its author's name, one line, and the rest."""

    author: str
    title: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Put:
    """The path holds this file."""

    path: str
    file: File


@dataclass(frozen=True, kw_only=True)
class DeleteFile:
    """The path holds nothing; it must hold a file before."""

    path: str


@dataclass(frozen=True, kw_only=True)
class DeleteFolder:
    """Nothing is below the path; something must be before."""

    path: str


Operation = Put | DeleteFile | DeleteFolder


def stage(con: sqlite3.Connection, view: View, operations: Iterable[Operation]) -> dict[str, File | None]:
    """The operations, one after the other, as one change per path.

    Raises:
        HubError: 404 EntryNotFound when a deletion finds nothing.
    """
    changes: dict[str, File | None] = {}
    for operation in operations:
        match operation:
            case Put(path=path, file=file):
                changes[path] = file
            case DeleteFile(path=path):
                if not _holds_file(con, view, changes, path):
                    raise entry_not_found(f"A file with this name doesn't exist: {shown(path)}")
                changes[path] = None
            case DeleteFolder(path=path):
                below = _files_below(con, view, changes, path)
                if not below:
                    raise entry_not_found(f"A folder with this name doesn't exist: {shown(path)}")
                changes.update(dict.fromkeys(below))
    return changes


def add(
    con: sqlite3.Connection,
    repo: Repo,
    *,
    line: int,
    parent: Commit | None,
    changes: trees.Changes,
    words: CommitMessage,
) -> Commit:
    """The next commit of `line`; the caller moves the ref in the same transaction.

    Raises:
        HubError: 400 if a path would be a file and a folder at once, or the title is empty.
    """
    if not words.title.strip():
        raise bad_request("The commit needs a summary")
    effective = trees.effective(con, line, changes)
    created_ms = now_ms()
    identity = {
        "repo": repo.public_id,
        "line": line,
        "parent": None if parent is None else parent.sha,
        "tree": trees.root_digest(con, line),
        "changes": sorted((path, None if after is None else after.oid) for path, (_, after) in effective.items()),
        "words": [words.author, words.title, words.message, created_ms],
    }
    sha = hashlib.sha1(json.dumps(identity).encode(), usedforsecurity=False).hexdigest()
    parent_id = None if parent is None else parent.id
    commit_id = con.execute(
        "INSERT INTO commits (repo_id, sha, parent_id, line, title, message, author, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (repo.id, sha, parent_id, line, words.title, words.message, words.author, created_ms),
    ).lastrowid
    if commit_id is None:
        raise sqlite3.InternalError("INSERT gave no row id")
    trees.apply(con, line, commit_id=commit_id, changes=effective)
    return get(con, commit_id)


def get(con: sqlite3.Connection, commit_id: int) -> Commit:
    """The commit of this id, which must exist."""
    return _commit(con.execute("SELECT * FROM commits WHERE id = ?", (commit_id,)).fetchone())


def by_sha(con: sqlite3.Connection, repo: Repo, sha: str) -> Commit | None:
    """The commit whose id begins with `sha`; None if there is none or more than one."""
    rows = con.execute(
        "SELECT * FROM commits WHERE repo_id = ? AND sha >= ? AND sha < ? LIMIT 2",
        (repo.id, sha, f"{sha}g"),
    ).fetchall()
    return _commit(rows[0]) if len(rows) == 1 else None


def view_of(con: sqlite3.Connection, commit: Commit) -> View:
    """The tree of a commit; live where a branch stands on it, whose line then ends with it."""
    ends = con.execute("SELECT 1 FROM refs WHERE line = ? AND commit_id = ?", (commit.line, commit.id)).fetchone()
    return View(line=commit.line, commit_id=commit.id, live=ends is not None)


def history(con: sqlite3.Connection, commit: Commit, *, limit: int) -> list[Commit]:
    """`commit` and its ancestors, newest first, at most `limit`. It ends where an ancestor was forgotten."""
    rows = con.execute(
        "WITH RECURSIVE back (id) AS (SELECT ? UNION ALL SELECT parent_id FROM commits JOIN back USING (id) "
        "WHERE parent_id IS NOT NULL LIMIT ?) SELECT commits.* FROM back JOIN commits USING (id) ORDER BY id DESC",
        (commit.id, limit),
    )
    return [_commit(row) for row in rows]


def titles(con: sqlite3.Connection, entries: Iterable[Entry]) -> dict[int, Commit]:
    """The commits that last changed these entries, by id; some may have been forgotten since."""
    found = {}
    for commit_id in {entry.changed for entry in entries}:
        row = con.execute("SELECT * FROM commits WHERE id = ?", (commit_id,)).fetchone()
        if row is not None:
            found[commit_id] = _commit(row)
    return found


def _holds_file(con: sqlite3.Connection, view: View, changes: dict[str, File | None], path: str) -> bool:
    if path in changes:
        return changes[path] is not None
    entry = trees.lookup(con, view, path)
    return entry is not None and entry.file is not None


def _files_below(con: sqlite3.Connection, view: View, changes: dict[str, File | None], folder: str) -> list[str]:
    prefix = f"{folder}/"
    below = {path for path, file in changes.items() if file is not None and path.startswith(prefix)}
    after = ""
    while page := trees.descendants(con, view, folder, after=after, limit=_PAGE):
        below |= {entry.path for entry in page if entry.file is not None and changes.get(entry.path, entry) is not None}
        after = page[-1].path
    return sorted(below)


def _commit(row: sqlite3.Row) -> Commit:
    return Commit(
        id=row["id"],
        sha=row["sha"],
        parent_id=row["parent_id"],
        line=row["line"],
        title=row["title"],
        message=row["message"],
        author=row["author"],
        created_ms=row["created_ms"],
    )
