"""Repositories by name: create, find, list, rename, delete."""

import secrets
import sqlite3
from dataclasses import dataclass

from datahub_system.clock import now_ms
from localhub.names import check_kind, check_name


@dataclass(frozen=True, kw_only=True)
class Repo:
    """One repository; `public_id` is the 24 hex digits the Hub calls `_id`, which survive a rename."""

    id: int
    public_id: str
    kind: str
    namespace: str
    name: str
    private: bool
    created_ms: int

    @property
    def full_name(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


def create(con: sqlite3.Connection, *, kind: str, namespace: str, name: str, private: bool) -> Repo | None:
    """A new repository without any ref; None if the name is taken.

    Raises:
        HubError: 400 for an impossible type or name.
    """
    check_kind(kind)
    check_name(name)
    if _by_current_name(con, kind=kind, namespace=namespace, name=name):
        return None
    con.execute(
        "DELETE FROM former_names WHERE kind = ? AND namespace = ? AND name = ?",
        (kind, namespace, name),
    )
    con.execute(
        "INSERT INTO repos (public_id, kind, namespace, name, private, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (secrets.token_hex(12), kind, namespace, name, private, now_ms()),
    )
    return _by_current_name(con, kind=kind, namespace=namespace, name=name)


def find(con: sqlite3.Connection, *, kind: str, namespace: str, name: str) -> Repo | None:
    """The repository of that name, or that had it before it was moved; names match whatever their case."""
    current = _by_current_name(con, kind=kind, namespace=namespace, name=name)
    if current is not None:
        return current
    row = con.execute(
        "SELECT repos.* FROM former_names JOIN repos ON repos.id = former_names.repo_id "
        "WHERE former_names.kind = ? AND former_names.namespace = ? AND former_names.name = ?",
        (kind, namespace, name),
    ).fetchone()
    return None if row is None else _repo(row)


def by_id(con: sqlite3.Connection, repo_id: int) -> Repo | None:
    """The repository with this row id."""
    row = con.execute("SELECT * FROM repos WHERE id = ?", (repo_id,)).fetchone()
    return None if row is None else _repo(row)


def listing(con: sqlite3.Connection, kind: str) -> list[Repo]:
    """Every repository of a kind, newest first."""
    rows = con.execute("SELECT * FROM repos WHERE kind = ? ORDER BY id DESC", (kind,))
    return [_repo(row) for row in rows]


def move(con: sqlite3.Connection, repo: Repo, *, namespace: str, name: str) -> bool:
    """Rename; the old name keeps leading here until someone takes it. False if the new name is taken."""
    check_name(name)
    other = _by_current_name(con, kind=repo.kind, namespace=namespace, name=name)
    if other is not None and other.id != repo.id:
        return False
    con.execute(
        "DELETE FROM former_names WHERE kind = ? AND namespace = ? AND name = ?",
        (repo.kind, namespace, name),
    )
    con.execute("UPDATE repos SET namespace = ?, name = ? WHERE id = ?", (namespace, name, repo.id))
    con.execute(
        "INSERT OR REPLACE INTO former_names VALUES (?, ?, ?, ?)",
        (repo.kind, repo.namespace, repo.name, repo.id),
    )
    return True


def set_private(con: sqlite3.Connection, repo: Repo, *, private: bool) -> None:
    """Show the repository to everybody, or to its owner only."""
    con.execute("UPDATE repos SET private = ? WHERE id = ?", (private, repo.id))


def delete(con: sqlite3.Connection, repo: Repo) -> None:
    """Forget the repository and all it holds; the bytes go with the next garbage collection."""
    con.execute("DELETE FROM repos WHERE id = ?", (repo.id,))


def remember_upload(con: sqlite3.Connection, repo: Repo, sha256: str) -> None:
    """Note that somebody who may write to `repo` has shown to possess this content."""
    con.execute("INSERT OR IGNORE INTO uploads VALUES (?, ?)", (repo.id, sha256))


def has_upload(con: sqlite3.Connection, repo: Repo, sha256: str) -> bool:
    """Whether the content was uploaded to this repository: knowing the hash of another's private file is not enough."""
    row = con.execute("SELECT 1 FROM uploads WHERE repo_id = ? AND sha256 = ?", (repo.id, sha256)).fetchone()
    return row is not None


def _by_current_name(con: sqlite3.Connection, *, kind: str, namespace: str, name: str) -> Repo | None:
    row = con.execute(
        "SELECT * FROM repos WHERE kind = ? AND namespace = ? AND name = ?",
        (kind, namespace, name),
    ).fetchone()
    return None if row is None else _repo(row)


def _repo(row: sqlite3.Row) -> Repo:
    return Repo(
        id=row["id"],
        public_id=row["public_id"],
        kind=row["kind"],
        namespace=row["namespace"],
        name=row["name"],
        private=bool(row["private"]),
        created_ms=row["created_ms"],
    )
