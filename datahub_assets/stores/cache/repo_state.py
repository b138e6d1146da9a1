"""What the cache remembers of a dataset's repo: its head, its files, the content of the small ones, our commits.

With it a publish needs no read of the Hub: `parent_commit` makes the Hub refuse when any of it is out of date.
Talking to the Hub is not done here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.hub_files import HubFile, is_content
from datahub_assets.stores import forms
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
        forms: the form of each file (`stores.forms`) by path, as far as it is known.
    """

    repo: str
    head: str
    window_start: int = 0
    rows: int | None = None
    first: int | None = None
    newest: int | None = None
    commits: int | None = None
    files: Mapping[str, HubFile] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def unreadable(self) -> set[str]:
        """The sealed files that are known to be damaged."""
        return {path for path, form in self.forms.items() if form == forms.UNREADABLE}


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
    database.execute(
        "CREATE TABLE IF NOT EXISTS file_forms (oid TEXT PRIMARY KEY, form TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )


def fact(database: Database, name: str) -> Any:
    """Something learned of the Hub itself, whatever the dataset (anything JSON can hold), None when it was not."""
    text = database.scalar("SELECT value FROM hub_facts WHERE name = ?", (name,))
    return None if text is None else json.loads(text)


def set_fact(database: Database, name: str, value: Any) -> None:
    """Remember something of the Hub itself."""
    database.execute("INSERT OR REPLACE INTO hub_facts VALUES (?, ?)", (name, json.dumps(value)))


@dataclass(frozen=True, slots=True)
class RepoMemory:
    """What is remembered of one dataset's repo."""

    database: Database
    spec: DatasetSpec

    def load(self) -> RepoState | None:
        """The repo as last seen, None when it never was."""
        row = self.database.rows(
            "SELECT repo, head, window_start, rows, first, newest, commits FROM remote WHERE dataset = ?",
            (self.spec.name,),
        )
        if not row:
            return None
        listed = self.database.rows(
            "SELECT path, size, f.oid, form FROM remote_files f LEFT JOIN file_forms k ON k.oid = f.oid "
            "WHERE dataset = ?",
            (self.spec.name,),
        )
        repo, head, window_start, count, first, newest, commits = row[0]
        return RepoState(
            repo,
            head,
            window_start=window_start,
            rows=count,
            first=first,
            newest=newest,
            commits=commits,
            files={path: HubFile(path, size, content_id) for path, size, content_id, _ in listed},
            forms={path: form for path, _, _, form in listed if form is not None},
        )

    def save(self, remote: RepoState, *, contents: Mapping[str, bytes] | None = None) -> None:
        """Remember a repo; `contents` adds to what is known of its files, and only what changed is written."""
        known = dict(self.database.rows("SELECT path, oid FROM remote_files WHERE dataset = ?", (self.spec.name,)))
        with self.database.transaction():
            self.database.execute(
                "INSERT OR REPLACE INTO remote VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.spec.name,
                    remote.repo,
                    remote.head,
                    remote.window_start,
                    remote.rows,
                    remote.first,
                    remote.newest,
                    remote.commits,
                ),
            )
            self.database.execute_many(
                "DELETE FROM remote_files WHERE dataset = ? AND path = ?",
                [(self.spec.name, path) for path in known if path not in remote.files],
            )
            self.database.execute_many(
                "INSERT OR REPLACE INTO remote_files (dataset, path, oid, size) VALUES (?, ?, ?, ?)",
                [
                    (self.spec.name, f.path, f.content_id, f.size)
                    for f in remote.files.values()
                    if known.get(f.path) != f.content_id
                ],
            )
            self.remember(contents or {})
            told = [(file.content_id, remote.forms.get(path)) for path, file in remote.files.items()]
            self.note_forms({content_id: form for content_id, form in told if form is not None})

    def forms(self, content_ids: Iterable[str]) -> dict[str, str]:
        """The forms of files with these contents, as far as they were noted, whichever paths they had."""
        return dict(
            self.database.rows(
                "SELECT oid, form FROM json_each(?) w CROSS JOIN file_forms k ON k.oid = w.value",
                (json.dumps(list(content_ids)),),
            )
        )

    def note_forms(self, found: Mapping[str, str]) -> None:
        """Remember the forms of files, by the ids of their contents: what a content is never changes."""
        known = self.forms(found)
        new = [(content_id, form) for content_id, form in found.items() if content_id not in known]
        if new:
            self.database.execute_many("INSERT OR IGNORE INTO file_forms VALUES (?, ?)", new)

    def note_unreadable(self, content_id: str) -> None:
        """Remember that a file of this content is damaged, whatever its footer says."""
        self.database.execute("INSERT OR REPLACE INTO file_forms VALUES (?, ?)", (content_id, forms.UNREADABLE))

    def set_commits(self, commits: int | None, *, head: str) -> None:
        """Remember how many commits the branch has, unless the repo as remembered has another head by now."""
        self.database.execute(
            "UPDATE remote SET commits = ? WHERE dataset = ? AND head = ?", (commits, self.spec.name, head)
        )

    def remember(self, contents: Mapping[str, bytes]) -> None:
        """Keep the content of small files, so that the next publish need not fetch them."""
        self.database.execute_many(
            "UPDATE remote_files SET content = ? WHERE dataset = ? AND path = ?",
            [(content, self.spec.name, path) for path, content in contents.items()],
        )

    def contents(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The remembered content of these files, as far as it is known and is what the file's content id says."""
        found = {}
        for path in paths:
            rows = self.database.rows(
                "SELECT content, oid FROM remote_files WHERE dataset = ? AND path = ? AND content IS NOT NULL",
                (self.spec.name, path),
            )
            if rows and is_content(rows[0][0], content_id=rows[0][1]):
                found[path] = rows[0][0]
        return found

    def add_commit(self, *, repo: str, sha: str, at_ms: int, rows: int, size: int) -> int:
        """Note a commit that carries rows of ours; returns its id. Noting the same one again changes nothing."""
        self.database.execute(
            "INSERT INTO commits (dataset, repo, sha, at, rows, bytes) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (self.spec.name, repo, sha, at_ms, rows, size),
        )
        return int(self.database.scalar("SELECT id FROM commits WHERE repo = ? AND sha = ?", (repo, sha)))

    def prune(self, *, before_ms: int) -> None:
        """Drop commits so old that no row in the cache is younger, and forms of contents that no repo has any more."""
        self.database.execute("DELETE FROM file_forms WHERE oid NOT IN (SELECT oid FROM remote_files)")
        self.database.execute("DELETE FROM commits WHERE dataset = ? AND at < ?", (self.spec.name, before_ms))

    def forget(self) -> None:
        """Forget the repo: the next publish looks at it anew."""
        with self.database.transaction():
            self.database.execute("DELETE FROM remote WHERE dataset = ?", (self.spec.name,))
            self.database.execute("DELETE FROM remote_files WHERE dataset = ?", (self.spec.name,))
