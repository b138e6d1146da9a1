"""What a commit costs does not depend on what came before: counted in steps of SQLite, whatever else the machine does.

`benchmarks/localhub_throughput.py` measures the same in time.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localhub.protocol import shapes
from localhub.store import commits, refs, repos, trees
from localhub.store.commits import Commit, CommitMessage, Put
from localhub.store.home import Home
from localhub.store.repos import Repo
from localhub.store.trees import View

WORDS = CommitMessage(author="a", title="t")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "hub")
    yield home
    home.close()


def create(home: Home, name: str) -> Repo:
    with home.database.write() as con:
        repo = repos.create(con, kind="dataset", namespace="local", name=name, private=False)
        assert repo is not None
        refs.create_first_branch(con, repo, changes={}, words=WORDS)
    return repo


def commit(con: sqlite3.Connection, repo: Repo, number: int) -> Commit:
    """Adds a file to a folder and replaces another, as a publisher does every minute."""
    file = shapes.regular_file(f"{number:064x}", b"%d" % number)
    branch = refs.branch(con, repo, "main")
    view = View(line=branch.line, commit_id=branch.head.id, live=True)
    operations = [Put(path=f"data/{number:06}.csv", file=file), Put(path="data/open.csv", file=file)]
    return refs.commit_to(con, repo, branch, changes=commits.stage(con, view, operations), words=WORDS)


def steps(con: sqlite3.Connection, work: Callable[[], object]) -> int:
    """How many instructions SQLite's virtual machine ran."""
    count = 0

    def counted() -> None:
        nonlocal count
        count += 1

    con.set_progress_handler(counted, 1)
    work()
    con.set_progress_handler(None, 0)
    return count


def test_a_commit_after_thousands_costs_what_the_tenth_did(home: Home) -> None:
    repo = create(home, "r")
    with home.database.write() as con:
        for number in range(10):
            commit(con, repo, number)
        few = steps(con, lambda: commit(con, repo, 10))
        for number in range(11, 3000):
            commit(con, repo, number)
        many = steps(con, lambda: commit(con, repo, 3000))
    assert many == pytest.approx(few, rel=0.02)


def reading_steps(con: sqlite3.Connection, newest: Commit) -> list[int]:
    view = commits.view_of(con, newest)
    older = View(line=view.line, commit_id=newest.id - 5, live=False)
    return [
        steps(con, lambda: trees.lookup(con, view, "data/open.csv")),
        steps(con, lambda: trees.lookup(con, older, "data/open.csv")),
        steps(con, lambda: trees.children(con, view, "data", after="data/", limit=9)),
        steps(con, lambda: trees.descendants(con, view, "", after="", limit=9)),
        steps(con, lambda: commits.titles(con, trees.children(con, view, "", after="", limit=9))),
        steps(con, lambda: commits.history(con, newest, limit=15)),
    ]


def test_looking_up_files_and_last_commits_does_not_walk_the_history(home: Home) -> None:
    repo = create(home, "r")
    with home.database.write() as con:
        few = reading_steps(con, [commit(con, repo, number) for number in range(20)][-1])
        many = reading_steps(con, [commit(con, repo, number) for number in range(20, 3000)][-1])
    assert many == pytest.approx(few, rel=0.02)
