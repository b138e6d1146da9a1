"""Keeping histories to the last days: what goes, what stays, and that nobody who reads or writes meanwhile is hurt."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RevisionNotFoundError

from localhub.app.uploads.commits import _CommitDraft
from localhub.store.disk.blobs import Blobs
from localhub.store.home import DATABASE
from localhub.testing import HubServer
from tests.localhub.look import contents, head, last_commit, shas, tags
from tests.localhub.old_commits import commit_at, day
from tests.localhub.wire import commit

KEEP = 7


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
