"""Keeping the history of the default branch to the last days.

What is older is cut off, as beyond the edge of a shallow clone: the oldest commit that stays has no parent any more. No
commit changes its id and no branch moves, so who reads or writes the newest state notices nothing. The last commit of
each UTC day that goes is tagged with the day first. What nothing reaches then, `collect` forgets.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

from localhub.names import DEFAULT_BRANCH
from localhub.store import commits, refs
from localhub.store.commits import Commit
from localhub.store.database import HubDatabase
from localhub.store.repos import Repo

_MARGIN = timedelta(hours=1)
"""How much longer a commit stays than promised, so that who still found it can read all of it."""
_MAIN = refs.HEADS + DEFAULT_BRANCH


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What was cut off a history: how many commits, and the tags that keep some of them."""

    repo: Repo
    commits: int
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Link:
    """One commit of a history: its row id and its UTC day, as `2026-11-20`."""

    id: int
    day: str


def first_day(now: datetime, *, keep_days: int) -> str:
    """The first UTC day (`2026-11-20`) whose commits stay: `keep_days` whole days stay, and the one that began."""
    return f"{(now - _MARGIN).astimezone(UTC) - timedelta(days=keep_days):%Y-%m-%d}"


def cut_history(database: HubDatabase, repo: Repo, *, first_day: str) -> Cut | None:
    """Cut the default branch off before the state that `first_day` began with; None if nothing is older.

    Commits that a tag names stay alone, without those before them. Other branches keep their own commits.
    All of it is one transaction, or nothing; what is to be done is looked up before it.
    """
    with database.read() as con:
        main = refs.branch(con, repo, DEFAULT_BRANCH)
        history = _history(con, main.head)
        going = _goes(history, first_day)
        if not going:
            return None
        edge = history[len(going)]
        unlinked = _unlinked(con, repo, edge=edge)
    last_of_days = [one for one, following in pairwise([*going, edge]) if one.day != following.day]
    with database.write() as con:
        if refs.branch(con, repo, DEFAULT_BRANCH).line != main.line:  # squashed meanwhile
            return None
        tags = [_tag_day(con, repo, last) for last in last_of_days]
        con.executemany(
            "UPDATE commits SET parent_id = NULL WHERE id = ?", [*unlinked, *((last.id,) for last in last_of_days)]
        )
    return Cut(repo=repo, commits=len(going), tags=tuple(tags))


def _history(con: sqlite3.Connection, head: Commit) -> list[_Link]:
    """The commits of a branch, oldest first."""
    rows = con.execute(
        "WITH RECURSIVE back (id) AS ("
        "  SELECT ? UNION ALL SELECT parent_id FROM commits JOIN back USING (id) WHERE parent_id IS NOT NULL"
        ") SELECT id, strftime('%Y-%m-%d', created_ms / 1000, 'unixepoch') AS day FROM back JOIN commits USING (id) "
        "ORDER BY id",
        (head.id,),
    )
    return [_Link(id=row["id"], day=row["day"]) for row in rows]


def _goes(history: Sequence[_Link], first_day: str) -> list[_Link]:
    """The commits of earlier days, without the last of them: it is the state the days that stay began with."""
    return list(takewhile(lambda link: link.day < first_day, history))[:-1]


def _tag_day(con: sqlite3.Connection, repo: Repo, last: _Link) -> str:
    """Tag the last commit of a day with the day, and a number if that tag is somebody else's; returns the tag."""
    number = 1
    while True:
        name = last.day if number == 1 else f"{last.day}.{number}"
        target = refs.tagged(con, repo, name)
        if target is None:
            refs.create_tag(con, repo, name, target=commits.get(con, last.id))
        if target in {None, last.id}:
            return name
        number += 1


def _unlinked(con: sqlite3.Connection, repo: Repo, *, edge: _Link) -> list[tuple[int]]:
    """Ids of the commits that stay and have a parent among those that go: made before `edge`, on no other branch."""
    rows = con.execute(
        "WITH others (line) AS (SELECT line FROM refs WHERE repo_id = :repo AND line IS NOT NULL AND name <> :main),"
        " old (id) AS (SELECT id FROM commits WHERE repo_id = :repo AND id < :edge AND line NOT IN others),"
        " named (id) AS (SELECT commit_id FROM refs WHERE repo_id = :repo) "
        "SELECT id FROM commits WHERE repo_id = :repo AND parent_id IN old AND (id NOT IN old OR id IN named)",
        {"repo": repo.id, "main": _MAIN, "edge": edge.id},
    )
    return [(row["id"],) for row in rows]
