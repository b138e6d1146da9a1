"""Keeping histories to the last days: what goes, what stays, and that nobody who reads or writes meanwhile is hurt."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RevisionNotFoundError

from localhub.app.uploads.commits import _CommitDraft
from localhub.maintenance import tend
from localhub.store.database import HubDatabase
from localhub.store.disk.blobs import Blobs
from localhub.store.home import DATABASE, Home
from localhub.testing import HubServer
from tests.localhub.look import contents, head, last_commit
from tests.localhub.old_commits import FIRST_DAY, commit_at, day, new_repo, publish_day
from tests.localhub.process import PATIENCE_S, HubProcess
from tests.localhub.wire import commit

KEEP = 7


def shas(api: HfApi, repo: str, revision: str = "main") -> list[str]:
    """Newest first."""
    return [one.commit_id for one in api.list_repo_commits(repo, repo_type="dataset", revision=revision)]


def tags(api: HfApi, repo: str) -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in api.list_repo_refs(repo, repo_type="dataset").tags}


def is_gone(api: HfApi, repo: str, sha: str) -> bool:
    try:
        api.dataset_info(repo, revision=sha)
    except RevisionNotFoundError:
        return True
    return False


def dropped(hub: HubServer, number: int) -> None:
    """The maintenance of that day's noon."""
    hub.drop_history(keep_days=KEEP, now=day(number))


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


@pytest.fixture
def made(hub: HubServer, repo: str) -> dict[int, list[str]]:
    """Three commits a day for ten days: day -> shas, oldest first."""
    return {
        number: [
            commit_at(
                hub, repo, {"a": f"{number}.{hour}".encode(), f"d/{number}": b"%d" % hour}, day(number, hour=hour)
            )
            for hour in (1, 12, 23)
        ]
        for number in range(1, 11)
    }


def test_what_is_older_goes_after_a_tag_for_each_day(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    newest, before = contents(api, repo), shas(api, repo)
    dropped(hub, 10)
    assert shas(api, repo) == before[: 8 * 3 + 1]
    assert shas(api, repo)[-1] == made[2][-1], "the state the first day that stays began with"
    assert tags(api, repo) == {"2025-11-01": made[1][-1]}
    assert contents(api, repo) == newest
    assert contents(api, repo, "2025-11-01") == {"a": b"1.23", "d/1": b"23"}
    assert shas(api, repo, "2025-11-01") == [made[1][-1]]
    assert [sha for number in made for sha in made[number] if is_gone(api, repo, sha)] == [*made[1][:2], *made[2][:2]]
    dropped(hub, 10)
    assert len(shas(api, repo)) == 25
    dropped(hub, 11)
    assert tags(api, repo) == {"2025-11-01": made[1][-1], "2025-11-02": made[2][-1]}
    assert contents(api, repo, "2025-11-02") == {"a": b"2.23", "d/1": b"23", "d/2": b"23"}
    assert contents(api, repo, made[3][-1])["a"] == b"3.23"


def test_publishing_goes_on_as_if_nothing_happened(
    hub: HubServer, api: HfApi, http: httpx.Client, repo: str, made: dict[int, list[str]]
) -> None:
    dropped(hub, 10)
    assert head(api, repo) == made[10][-1]
    assert commit(http, repo, [("a", b"next")], parent=made[10][-1]).status_code == 200
    assert commit(http, repo, [("a", b"late")], parent=made[1][0]).status_code == 412
    assert contents(api, repo)["a"] == b"next"
    assert last_commit(api, repo, "d/9") == made[9][-1]


def test_bytes_go_an_hour_later_and_those_of_tagged_states_stay(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    def stored() -> set[bytes]:
        return {path.read_bytes() for path in (hub.home / "blobs").rglob("*") if path.is_file()}

    dropped(hub, 10)
    assert b"1.1" in stored(), "who looked its name up still finds it"
    hub.drop_history(keep_days=KEEP, now=day(10) + timedelta(hours=1))
    assert stored() & {b"1.1", b"1.12", b"1.23", b"2.1", b"2.12", b"2.23"} == {b"1.23", b"2.23"}
    assert contents(api, repo, "2025-11-01")["a"] == b"1.23"


def test_a_commit_stays_an_hour_longer_than_was_promised(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    hub.drop_history(keep_days=KEEP, now=day(10, hour=0) + timedelta(minutes=59))
    assert not is_gone(api, repo, made[2][0])
    hub.drop_history(keep_days=KEEP, now=day(10, hour=1))
    assert is_gone(api, repo, made[2][0])


def test_the_newest_commit_stays_however_old(hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]) -> None:
    dropped(hub, 365)
    assert shas(api, repo) == [made[10][-1]]
    assert tags(api, repo) == {f"2025-11-{number:02}": made[number][-1] for number in range(1, 10)}


def test_tags_of_others_stay_where_they_are(hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]) -> None:
    api.create_tag(repo, tag="2025-11-01", revision=made[1][0], repo_type="dataset")
    api.create_tag(repo, tag="2025-11-02", revision=made[2][-1], repo_type="dataset")
    api.create_tag(repo, tag="v1", revision=made[1][1], repo_type="dataset")
    dropped(hub, 11)
    assert tags(api, repo) == {
        "2025-11-01": made[1][0],
        "2025-11-01.2": made[1][-1],
        "2025-11-02": made[2][-1],
        "v1": made[1][1],
    }
    assert contents(api, repo, "v1")["a"] == b"1.12"
    assert shas(api, repo, "v1") == [made[1][1]], "a tag keeps its state, not what came before"


def test_a_day_whose_tag_was_deleted_goes_too(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    dropped(hub, 11)
    api.delete_tag(repo, tag="2025-11-01", repo_type="dataset")
    dropped(hub, 11)
    assert list(tags(api, repo)) == ["2025-11-02"]
    assert is_gone(api, repo, made[1][-1])


def test_other_branches_keep_their_own_commits(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    api.create_branch(repo, branch="dev", revision=made[1][0], repo_type="dataset")
    own = [commit_at(hub, repo, {"b": b"%d" % hour}, day(1, hour=hour), branch="dev") for hour in (2, 3, 4)]
    api.create_branch(repo, branch="still", revision=made[1][1], repo_type="dataset")
    dropped(hub, 10)
    dropped(hub, 10)
    assert shas(api, repo, "dev") == own[::-1]
    assert contents(api, repo, own[0]) == {"a": b"1.1", "d/1": b"1", "b": b"2"}
    assert contents(api, repo, "still")["a"] == b"1.12"
    assert shas(api, repo)[-1] == made[2][-1]


def test_of_a_history_that_was_squashed_the_tag_stays_and_the_rest_goes(
    hub: HubServer, api: HfApi, repo: str, made: dict[int, list[str]]
) -> None:
    api.create_tag(repo, tag="kept", revision=made[10][-1], repo_type="dataset")
    api.super_squash_history(repo, repo_type="dataset")
    newer = [commit_at(hub, repo, {"a": b"%d" % number}, day(number)) for number in (12, 13)]
    with closing(sqlite3.connect(hub.home / DATABASE)) as con, con:
        con.execute("UPDATE commits SET created_ms = 0 WHERE title LIKE 'Super-squash%'")
    hub.drop_history(keep_days=7, now=day(11))
    assert len(shas(api, repo, "kept")) == 31, "the branch begins with the squash, before which nothing is older"
    dropped(hub, 20)
    assert shas(api, repo) == newer[::-1]
    assert shas(api, repo, "kept") == [made[10][-1]]
    assert contents(api, repo, "kept")["a"] == b"10.23"
    assert is_gone(api, repo, made[10][0])


def test_private_datasets_are_kept_short_and_models_are_not(hub: HubServer, api: HfApi) -> None:
    for name, kind in (("secret", "dataset"), ("a-model", "model")):
        repo = api.create_repo(name, repo_type=kind, private=True).repo_id
        for number in range(1, 4):
            commit_at(hub, repo, {"a": b"%d" % number}, day(number))
        hub.drop_history(keep_days=KEEP, now=day(50))
        assert len(api.list_repo_commits(repo, repo_type=kind)) == (1 if kind == "dataset" else 4)


def test_a_list_of_commits_that_is_cut_off_between_two_pages_ends(
    hub: HubServer, http: httpx.Client, repo: str, made: dict[int, list[str]]
) -> None:
    first = http.get(f"/api/datasets/{repo}/commits/main?limit=26")
    dropped(hub, 10)
    rest = http.get(first.links["next"]["url"])
    assert (rest.status_code, rest.json(), rest.links) == (200, [], {})


def test_a_download_of_a_file_that_goes_ends_well(hub: HubServer, http: httpx.Client, repo: str) -> None:
    content = os.urandom(8 << 20)
    sha = commit_at(hub, repo, {"large": content}, day(1, hour=1))
    for hour in (2, 3, 48):
        commit_at(hub, repo, {"large": b"%d" % hour}, day(1, hour=hour))
    with http.stream("GET", f"/datasets/{repo}/resolve/{sha}/large") as answer:
        parts = answer.iter_raw(1 << 16)
        received = next(parts)
        for _ in range(2):
            hub.drop_history(keep_days=1, now=day(30))
        assert content not in {path.read_bytes() for path in (hub.home / "blobs").rglob("*") if path.is_file()}
        assert received + b"".join(parts) == content


def test_readers_and_writers_beside_it_notice_nothing(hub: HubServer, api: HfApi, repo: str) -> None:
    for number in range(1, 41):
        commit_at(hub, repo, {"a": b"%d" % number, f"d/{number}": b"%d" % number}, day(number))
    api.create_tag(repo, tag="t", revision=shas(api, repo)[20], repo_type="dataset")
    rounds: list[list[object]] = []
    is_over = threading.Event()

    def read_and_write() -> None:
        with httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {hub.token}"}) as http:
            while not is_over.is_set():
                read = [http.get(f"/datasets/{repo}/resolve/{name}").text for name in ("t/d/20", "main/d/40")]
                listed = http.get(f"/api/datasets/{repo}/commits/main?limit=3").status_code
                written = commit(http, repo, [("beside", os.urandom(9))]).status_code
                rounds.append([*read, listed, written])

    thread = threading.Thread(target=read_and_write)
    thread.start()
    for number in range(10, 45):
        hub.drop_history(keep_days=1, now=day(number), grace_s=3600)
    is_over.set()
    thread.join()
    assert rounds
    assert all(seen == ["20", "40", 200, 200] for seen in rounds), rounds
    assert len(tags(api, repo)) == 40
    for number in (1, 17, 38):
        assert contents(api, repo, f"{day(number):%Y-%m-%d}")["a"] == b"%d" % number


def test_content_of_a_commit_that_lands_meanwhile_stays(
    hub: HubServer, http: httpx.Client, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came in long before its commit lands, and lands after it was looked up what is referred to."""
    take, stored = _CommitDraft.take, Blobs.stored

    def take_long(draft: _CommitDraft, lines: list[bytes]) -> None:
        take(draft, lines)
        for blob in (hub.home / "blobs").rglob("*"):
            if blob.is_file():
                os.utime(blob, (0, 0))

    def commit_first(blobs: Blobs) -> Iterator[str]:
        monkeypatch.setattr(Blobs, "stored", stored)
        assert commit(http, repo, [("late", b"content")]).status_code == 200
        return stored(blobs)

    monkeypatch.setattr(_CommitDraft, "take", take_long)
    monkeypatch.setattr(Blobs, "stored", commit_first)
    hub.drop_history(keep_days=KEEP, now=day(1))
    assert http.get(f"/datasets/{repo}/resolve/main/late").content == b"content"


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
