"""Histories of weeks kept short: stopped or killed anywhere it goes on, and no step of it grows with the history."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from localhub.maintenance import tend
from localhub.store.database import HubDatabase
from localhub.store.home import Home
from tests.localhub.look import shas, tags
from tests.localhub.old_commits import FIRST_DAY, day, new_repo, publish_day
from tests.localhub.process import PATIENCE_S, HubProcess

KEEP = 7


@pytest.fixture(scope="module")
def long_histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two repositories of thirty days, eight commits a day, no server."""
    home = Home(tmp_path_factory.mktemp("long") / "hub")
    for name in ("one", "two"):
        repo = new_repo(home, name, FIRST_DAY)
        for number in range(1, 31):
            publish_day(home, repo, day(number, hour=0), count=8)
    home.close()
    return home.path


@pytest.fixture
def long_home(long_histories: Path, tmp_path: Path) -> Path:
    """A copy of it to work on."""
    return Path(shutil.copytree(long_histories, tmp_path / "hub"))


class _Stop(Exception):
    pass


def test_wherever_it_is_stopped_it_goes_on(long_home: Path) -> None:
    home = Home(long_home)
    for times in range(1000):
        left = iter(range(times))

        def pause(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise _Stop

        try:
            tend(home, keep_days=KEEP, now=day(30), grace_s=0, pause=pause)
        except _Stop:
            assert _heads_and_tags_are_whole(home) <= 2 * 21
        else:
            break
    assert times > 3
    tend(home, keep_days=KEEP, now=day(30), grace_s=0)
    assert _heads_and_tags_are_whole(home) == 2 * 21
    assert _rows(home, "commits") == 2 * (8 * 8 + 1 + 21)
    home.close()


def test_killed_again_and_again_it_gets_done(long_home: Path) -> None:
    for delay_s in (0.0, 0.1, 0.3):
        hub = HubProcess(long_home, "--keep-history-days", "7").start()
        threading.Event().wait(delay_s)
        hub.kill()
        home = Home(long_home)
        _heads_and_tags_are_whole(home)
        home.close()
    with HubProcess(long_home, "--keep-history-days", "7") as hub:
        api = hub.api()
        for name in ("local/one", "local/two"):
            until(lambda name=name: len(shas(api, name)) == 1)
            assert len(tags(api, name)) == 29
        started = datetime.now(FIRST_DAY.tzinfo)
        assert hub.terminate() == 0
        assert (datetime.now(FIRST_DAY.tzinfo) - started).total_seconds() < PATIENCE_S


def until(condition: object) -> None:
    assert callable(condition)
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true within 10 s")


def _heads_and_tags_are_whole(home: Home) -> int:
    """Every state that a branch or tag names can be read to the last byte; returns how many tags there are."""
    with home.database.read() as con:
        named = con.execute(
            "SELECT refs.name, commits.id, commits.line FROM refs JOIN commits ON commits.id = commit_id"
        )
        states = named.fetchall()
        assert len(states) == con.execute("SELECT count(*) FROM refs").fetchone()[0]
        for name, commit_id, line in states:
            held = con.execute(
                "SELECT path, sha256 FROM entries WHERE line = ? AND since <= ? AND (until IS NULL OR until > ?)"
                "AND sha256 IS NOT NULL",
                (line, commit_id, commit_id),
            ).fetchall()
            assert held, name
            assert all(home.blobs.has(sha256) for _, sha256 in held), name
            (files,) = con.execute(
                "SELECT files FROM entries WHERE line = ? AND path = '' AND since <= ? ORDER BY since DESC LIMIT 1",
                (line, commit_id),
            ).fetchone()
            assert files == len(held), name
    return sum("tags" in name for name, _, _ in states)


def _free_pages(home: Home) -> int:
    with home.database.read() as con:
        return int(con.execute("PRAGMA freelist_count").fetchone()[0])


def _rows(home: Home, table: str) -> int:
    with home.database.read() as con:
        return int(con.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a constant


def _longest(home: Home, monkeypatch: pytest.MonkeyPatch) -> int:
    """Instructions of SQLite in the longest writing transaction of one maintenance."""
    steps = [0]
    write = HubDatabase.write

    def counted() -> None:
        steps[-1] += 1

    @contextmanager
    def counting(database: HubDatabase) -> Iterator[sqlite3.Connection]:
        with write(database) as con:
            steps.append(0)
            con.set_progress_handler(counted, 1)
            try:
                yield con
            finally:
                con.set_progress_handler(None, 0)

    with monkeypatch.context() as patched:
        patched.setattr(HubDatabase, "write", counting)
        tend(home, keep_days=KEEP, now=day(30), grace_s=0)
    return max(steps)


def test_no_transaction_is_longer_for_more_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = []
    for first in (20, 2):
        home = Home(tmp_path / f"since-{first}")
        repo = new_repo(home, "prices", day(first, hour=0))
        for number in range(first, 31):
            publish_day(home, repo, day(number, hour=0), count=30)
        longest.append(_longest(home, monkeypatch))
        home.close()
    assert longest[1] < 2 * longest[0], "seven times as much goes"


LONG = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(("days", "commits"), [(30, 12), pytest.param(30, 1440, marks=LONG)])
def test_a_month_takes_no_more_than_half_of_it_but_for_its_tags(tmp_path: Path, days: int, commits: int) -> None:
    home = Home(tmp_path / "hub")
    repo = new_repo(home, "prices", FIRST_DAY)
    sizes = {}
    for number in range(1, days + 1):
        publish_day(home, repo, day(number, hour=0), count=commits)
        for hour in (22, 23):
            tend(home, keep_days=KEEP, now=day(number, hour=hour), grace_s=0)
        assert _free_pages(home) == 0
        sizes[number] = {
            "commits": _rows(home, "commits"),
            "entries": _rows(home, "entries"),
            "blobs": sum(1 for _ in home.blobs.stored()),
            "database": (home.path / "hub.sqlite3").stat().st_size,
        }
    for what, of_a_tag in {"commits": 1, "entries": 7 + 24, "blobs": 24, "database": (7 + 24) * 1500}.items():
        most = sizes[days // 2][what] * 1.02 + of_a_tag * days / 2
        assert sizes[days][what] <= most, (what, sizes)
    assert sizes[days]["commits"] < (KEEP + 1) * commits + days + 2
    home.close()
