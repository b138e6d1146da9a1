"""What the cache remembers of a dataset's repo: its head, its files, the content of the small ones, our commits.

With it a publish needs no read of the Hub: `parent_commit` makes the Hub refuse when any of it is out of date.
Talking to the Hub is not done here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.hub_files import HubFile, is_content
from datahub_assets.stores.cache.database import Database


@dataclass(frozen=True, slots=True)
class RepoState:
    """A repo at one commit.

    Attributes:
        repo: URL of the repo; another Hub or another account is another repo.
        window_start: first millisecond of the live window its files are laid out for; 0 when nothing says so.
        rows: rows of the main table, None when unknown.
        first, newest: oldest and newest timestamp (epoch ms), None when unknown or without rows.
        commits: how many commits the branch has, None when not counted yet.
    """

    repo: str
    head: str
    window_start: int = 0
    rows: int | None = None
    first: int | None = None
    newest: int | None = None
    commits: int | None = None
    files: Mapping[str, HubFile] = field(default_factory=dict)


def create(database: Database) -> None:
    """Make the tables unless they are there."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS commits (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, repo TEXT NOT NULL, "
        "sha TEXT NOT NULL, at INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, "
        "UNIQUE (repo, sha)) STRICT"
    )
    database.execute("CREATE INDEX IF NOT EXISTS commits_at ON commits (at)")
    database.execute("CREATE INDEX IF NOT EXISTS commits_of_dataset ON commits (dataset, at)")
    database.execute(
        "CREATE TABLE IF NOT EXISTS remote (dataset TEXT PRIMARY KEY, repo TEXT NOT NULL, head TEXT NOT NULL, "
        "window_start INTEGER NOT NULL, rows INTEGER, first INTEGER, newest INTEGER, commits INTEGER) "
        "STRICT, WITHOUT ROWID"
    )
    database.execute(
        "CREATE TABLE IF NOT EXISTS hub_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
    database.execute(
        "CREATE TABLE IF NOT EXISTS remote_files (dataset TEXT NOT NULL, path TEXT NOT NULL, oid TEXT NOT NULL, "
        "size INTEGER NOT NULL, content BLOB, PRIMARY KEY (dataset, path)) STRICT"
    )


def fact(database: Database, name: str) -> Any:
    """Something learned of the Hub itself, whatever the dataset (anything JSON can hold), None when it was not."""
    text = database.scalar("SELECT value FROM hub_facts WHERE name = ?", (name,))
    return None if text is None else json.loads(text)


def set_fact(database: Database, name: str, value: Any) -> None:
    """Remember something of the Hub itself."""
    database.execute("INSERT OR REPLACE INTO hub_facts VALUES (?, ?)", (name, json.dumps(value)))


def load(database: Database, spec: DatasetSpec) -> RepoState | None:
    """The repo as last seen, None when it never was."""
    row = database.rows(
        "SELECT repo, head, window_start, rows, first, newest, commits FROM remote WHERE dataset = ?", (spec.name,)
    )
    if not row:
        return None
    listed = database.rows("SELECT path, size, oid FROM remote_files WHERE dataset = ?", (spec.name,))
    repo, head, window_start, count, first, newest, commits = row[0]
    files = {path: HubFile(path, size, content_id) for path, size, content_id in listed}
    return RepoState(
        repo, head, window_start=window_start, rows=count, first=first, newest=newest, commits=commits, files=files
    )


def save(
    database: Database, spec: DatasetSpec, remote: RepoState, *, contents: Mapping[str, bytes] | None = None
) -> None:
    """Remember a repo; `contents` adds to what is known of its files, and only what changed is written."""
    known = dict(database.rows("SELECT path, oid FROM remote_files WHERE dataset = ?", (spec.name,)))
    with database.transaction():
        database.execute(
            "INSERT OR REPLACE INTO remote VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                spec.name,
                remote.repo,
                remote.head,
                remote.window_start,
                remote.rows,
                remote.first,
                remote.newest,
                remote.commits,
            ),
        )
        database.execute_many(
            "DELETE FROM remote_files WHERE dataset = ? AND path = ?",
            [(spec.name, path) for path in known if path not in remote.files],
        )
        database.execute_many(
            "INSERT OR REPLACE INTO remote_files (dataset, path, oid, size) VALUES (?, ?, ?, ?)",
            [
                (spec.name, f.path, f.content_id, f.size)
                for f in remote.files.values()
                if known.get(f.path) != f.content_id
            ],
        )
        remember(database, spec, contents or {})


def set_commits(database: Database, spec: DatasetSpec, commits: int | None, *, head: str) -> None:
    """Remember how many commits the branch has, unless the repo as remembered has another head by now."""
    database.execute("UPDATE remote SET commits = ? WHERE dataset = ? AND head = ?", (commits, spec.name, head))


def remember(database: Database, spec: DatasetSpec, contents: Mapping[str, bytes]) -> None:
    """Keep the content of small files, so that the next publish need not fetch them."""
    database.execute_many(
        "UPDATE remote_files SET content = ? WHERE dataset = ? AND path = ?",
        [(content, spec.name, path) for path, content in contents.items()],
    )


def contents(database: Database, spec: DatasetSpec, paths: Iterable[str]) -> dict[str, bytes]:
    """The remembered content of these files, as far as it is known and is what the file's content id says."""
    found = {}
    for path in paths:
        rows = database.rows(
            "SELECT content, oid FROM remote_files WHERE dataset = ? AND path = ? AND content IS NOT NULL",
            (spec.name, path),
        )
        if rows and is_content(rows[0][0], content_id=rows[0][1]):
            found[path] = rows[0][0]
    return found


def add_commit(database: Database, spec: DatasetSpec, *, repo: str, sha: str, at_ms: int, rows: int, size: int) -> int:
    """Note a commit that carries rows of ours; returns its id. Noting the same one again changes nothing."""
    database.execute(
        "INSERT INTO commits (dataset, repo, sha, at, rows, bytes) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (spec.name, repo, sha, at_ms, rows, size),
    )
    return int(database.scalar("SELECT id FROM commits WHERE repo = ? AND sha = ?", (repo, sha)))


def prune(database: Database, spec: DatasetSpec, *, before_ms: int) -> None:
    """Drop commits so old that no row in the cache is younger."""
    database.execute("DELETE FROM commits WHERE dataset = ? AND at < ?", (spec.name, before_ms))


def forget(database: Database, spec: DatasetSpec) -> None:
    """Forget the repo: the next publish looks at it anew."""
    with database.transaction():
        database.execute("DELETE FROM remote WHERE dataset = ?", (spec.name,))
        database.execute("DELETE FROM remote_files WHERE dataset = ?", (spec.name,))
