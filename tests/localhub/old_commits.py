"""Commits that were made long ago, as far as the Hub can tell."""

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

from localhub.protocol import shapes
from localhub.store import commits, refs, repos
from localhub.store.commits import CommitMessage, Put
from localhub.store.home import DATABASE, Home
from localhub.store.repos import Repo
from localhub.store.trees import View
from localhub.testing import HubServer

FIRST_DAY = datetime(2025, 11, 1, tzinfo=UTC)
WORDS = CommitMessage(author="a", title="t")


def day(number: int, *, hour: int = 12) -> datetime:
    """A time on the first day, the second, …"""
    return FIRST_DAY + timedelta(days=number - 1, hours=hour)


def commit_at(hub: HubServer, repo: str, files: dict[str, bytes], at: datetime, *, branch: str = "main") -> str:
    """A commit as if made at that time; its contents are as old, and the repository's first commit no younger."""
    kind = "model" if repo.endswith("model") else "dataset"
    sha = hub.commit(repo, files, kind=kind, branch=branch)
    with closing(sqlite3.connect(hub.home / DATABASE)) as con, con:
        con.execute(
            "UPDATE commits SET created_ms = min(created_ms, ?) WHERE sha = ? OR title = 'initial commit'",
            (_ms(at), sha),
        )
    age_blobs(hub, at)
    return sha


def date_commits(hub: HubServer, times: Mapping[str, datetime], *, others: datetime) -> None:
    """Let commits be made at these times, and all others there are at another."""
    with closing(sqlite3.connect(hub.home / DATABASE)) as con, con:
        con.execute("UPDATE commits SET created_ms = ?", (_ms(others),))
        con.executemany(
            "UPDATE commits SET created_ms = ? WHERE sha = ?", [(_ms(at), sha) for sha, at in times.items()]
        )


def age_blobs(hub: HubServer, at: datetime) -> None:
    """Let all bytes have come in at that time."""
    for blob in (hub.home / "blobs").rglob("*"):
        if blob.is_file():
            os.utime(blob, (at.timestamp(),) * 2)


def new_repo(home: Home, name: str, at: datetime) -> Repo:
    """A dataset repository whose first commit was made at that time."""
    with home.database.write() as con:
        repo = repos.create(con, kind="dataset", namespace="local", name=name, private=False)
        assert repo is not None
        first = refs.create_first_branch(con, repo, changes={}, words=WORDS)
        con.execute("UPDATE commits SET created_ms = ? WHERE id = ?", (_ms(at), first.id))
    return repo


def publish_day(home: Home, repo: Repo, begin: datetime, *, count: int) -> None:
    """`count` commits spread over a day, each of which writes three files anew, one of them under the hour's name."""
    with home.database.write() as con:
        for number in range(count):
            at = begin + timedelta(days=number / count)
            content = f"{repo.name} {at}".encode()
            file = shapes.regular_file(hashlib.sha256(content).hexdigest(), content)
            blob = home.blobs.path(file.sha256)
            blob.write_bytes(content)  # not synced to the disk, which takes longer than all else here
            os.utime(blob, (at.timestamp(),) * 2)
            paths = ["README.md", "data/1h/open.csv", f"data/live/{at:%H}.csv"]
            branch = refs.branch(con, repo, "main")
            view = View(line=branch.line, commit_id=branch.head.id, live=True)
            changes = commits.stage(con, view, [Put(path=path, file=file) for path in paths])
            made = refs.commit_to(con, repo, branch, changes=changes, words=WORDS)
            con.execute("UPDATE commits SET created_ms = ? WHERE id = ?", (_ms(at), made.id))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
