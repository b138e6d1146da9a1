"""Branches and tags: what they point to, and moving them.

A branch owns the line its next commit goes to; a tag only points. Names are full here: `refs/heads/main`,
`refs/tags/v1`.
"""

import sqlite3
from dataclasses import dataclass

from localhub.errors import revision_not_found
from localhub.names import DEFAULT_BRANCH, is_short_sha, shown
from localhub.store import commits, trees
from localhub.store.commits import Commit, CommitMessage
from localhub.store.repos import Repo

HEADS = "refs/heads/"
TAGS = "refs/tags/"


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A branch or tag: its full name and the commit it points to."""

    name: str
    sha: str

    @property
    def short_name(self) -> str:
        """The name a person uses: `main` for `refs/heads/main`."""
        return self.name.removeprefix(HEADS).removeprefix(TAGS)


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch to commit to: its full name, its newest commit, the line the next one goes to."""

    name: str
    head: Commit
    line: int


def resolve(con: sqlite3.Connection, repo: Repo, revision: str) -> Commit:
    """The commit a branch, tag, full ref or (shortened) commit id means; branches win over tags, as on the Hub.

    Raises:
        HubError: 404 RevisionNotFound.
    """
    if is_short_sha(revision):
        found = commits.by_sha(con, repo, revision)
        if found is not None:
            return found
    name = DEFAULT_BRANCH if revision == "HEAD" else revision
    for full_name in (name, HEADS + name, TAGS + name):
        row = con.execute(
            "SELECT commit_id FROM refs WHERE repo_id = ? AND name = ?",
            (repo.id, full_name),
        ).fetchone()
        if row is not None:
            return commits.get(con, row["commit_id"])
    raise revision_not_found(shown(revision))


def branch(con: sqlite3.Connection, repo: Repo, name: str) -> Branch:
    """The branch of this short or full name.

    Raises:
        HubError: 404 RevisionNotFound; also for a tag or a commit id, which cannot be committed to.
    """
    full_name = name if name.startswith(HEADS) else HEADS + name
    row = con.execute("SELECT * FROM refs WHERE repo_id = ? AND name = ?", (repo.id, full_name)).fetchone()
    if row is None:
        raise revision_not_found(shown(name))
    return Branch(name=full_name, head=commits.get(con, row["commit_id"]), line=row["line"])


def create_first_branch(con: sqlite3.Connection, repo: Repo, *, changes: trees.Changes, words: CommitMessage) -> Commit:
    """The default branch of a new repository and its first commit."""
    line = trees.new_line(con, repo_id=repo.id)
    commit = commits.add(con, repo, line=line, parent=None, changes=changes, words=words)
    con.execute("INSERT INTO refs VALUES (?, ?, ?, ?)", (repo.id, HEADS + DEFAULT_BRANCH, commit.id, line))
    return commit


def create_branch(con: sqlite3.Connection, repo: Repo, name: str, *, start: Commit) -> bool:
    """A branch that starts at `start`; False if the name is taken."""
    if _exists(con, repo, HEADS + name):
        return False
    line = trees.fork_line(con, commits.view_of(con, start), repo_id=repo.id)
    con.execute("INSERT INTO refs VALUES (?, ?, ?, ?)", (repo.id, HEADS + name, start.id, line))
    return True


def create_tag(con: sqlite3.Connection, repo: Repo, name: str, *, target: Commit) -> bool:
    """A tag on `target`; False if the name is taken."""
    if _exists(con, repo, TAGS + name):
        return False
    con.execute("INSERT INTO refs VALUES (?, ?, ?, NULL)", (repo.id, TAGS + name, target.id))
    return True


def tagged(con: sqlite3.Connection, repo: Repo, name: str) -> int | None:
    """The row id of the commit that a tag is on, None if there is no such tag."""
    row = con.execute("SELECT commit_id FROM refs WHERE repo_id = ? AND name = ?", (repo.id, TAGS + name)).fetchone()
    return None if row is None else int(row["commit_id"])


def delete(con: sqlite3.Connection, repo: Repo, full_name: str) -> Commit | None:
    """Remove a branch or tag; returns the commit it pointed to, None if it was not there."""
    row = con.execute("SELECT commit_id FROM refs WHERE repo_id = ? AND name = ?", (repo.id, full_name)).fetchone()
    con.execute("DELETE FROM refs WHERE repo_id = ? AND name = ?", (repo.id, full_name))
    return None if row is None else commits.get(con, row["commit_id"])


def commit_to(
    con: sqlite3.Connection, repo: Repo, to: Branch, *, changes: trees.Changes, words: CommitMessage
) -> Commit:
    """A commit on top of the branch, which points to it from then on."""
    commit = commits.add(con, repo, line=to.line, parent=to.head, changes=changes, words=words)
    con.execute("UPDATE refs SET commit_id = ? WHERE repo_id = ? AND name = ?", (commit.id, repo.id, to.name))
    return commit


def squash(con: sqlite3.Connection, repo: Repo, which: Branch, *, words: CommitMessage) -> Commit:
    """Replace the history of a branch by one commit holding the same files.

    The old commits can still be read by their ids until the next garbage collection.
    """
    line = trees.fork_line(con, commits.view_of(con, which.head), repo_id=repo.id)
    commit = commits.add(con, repo, line=line, parent=None, changes={}, words=words)
    trees.mark_all_changed(con, line, commit_id=commit.id)
    con.execute(
        "UPDATE refs SET commit_id = ?, line = ? WHERE repo_id = ? AND name = ?",
        (commit.id, line, repo.id, which.name),
    )
    return commit


def listing(con: sqlite3.Connection, repo: Repo) -> list[Ref]:
    """Every branch and tag, by full name."""
    rows = con.execute(
        "SELECT refs.name, commits.sha FROM refs JOIN commits ON commits.id = refs.commit_id "
        "WHERE refs.repo_id = ? ORDER BY refs.name",
        (repo.id,),
    )
    return [Ref(name=row["name"], sha=row["sha"]) for row in rows]


def _exists(con: sqlite3.Connection, repo: Repo, full_name: str) -> bool:
    row = con.execute("SELECT 1 FROM refs WHERE repo_id = ? AND name = ?", (repo.id, full_name)).fetchone()
    return row is not None
