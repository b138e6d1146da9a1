"""Commits at the same time: one lands, the others are told so, and no update is lost."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from localhub.testing import HubServer
from tests.localhub.wire import commit, heads, history

WRITERS = 4


def client(hub: HubServer) -> httpx.Client:
    return httpx.Client(base_url=hub.url, headers={"Authorization": f"Bearer {hub.token}"}, timeout=30)


def test_no_increment_is_lost(hub: HubServer, repo: str) -> None:
    """Each writer adds one to a counter, reading it at the commit it names as parent, until it was let in ten times."""

    def write(_: int) -> list[int]:
        statuses: list[int] = []
        with client(hub) as http:
            while statuses.count(200) < 10:
                parent = heads(http, repo)["refs/heads/main"]
                read = http.get(f"/datasets/{repo}/resolve/{parent}/counter")
                value = int(read.text) if read.status_code == 200 else 0
                statuses.append(commit(http, repo, [("counter", b"%d" % (value + 1))], parent=parent).status_code)
        return statuses

    with ThreadPoolExecutor(WRITERS) as threads:
        statuses = [status for each in threads.map(write, range(WRITERS)) for status in each]
    assert set(statuses) <= {200, 409, 412}
    with client(hub) as http:
        assert http.get(f"/datasets/{repo}/resolve/main/counter").text == str(10 * WRITERS)
        assert len(history(http, repo, "main")) == 10 * WRITERS + 1


def test_commits_without_a_parent_do_not_overwrite_each_other_unseen(hub: HubServer, repo: str) -> None:
    """Sent at the same moment and without a parent, each is either in the history or was refused."""
    barrier = Barrier(WRITERS)

    def write(number: int) -> list[str]:
        landed = []
        with client(hub) as http:
            http.get("/api/whoami-v2")
            for turn in range(15):
                barrier.wait(timeout=30)
                response = commit(http, repo, [("same", f"{number} {turn}".encode()), (f"own/{number}", b"%d" % turn)])
                assert response.status_code in {200, 409, 412}
                if response.status_code == 200:
                    landed.append(response.json()["commitOid"])
        return landed

    with ThreadPoolExecutor(WRITERS) as threads:
        landed = [sha for each in threads.map(write, range(WRITERS)) for sha in each]
    with client(hub) as http:
        assert sorted(history(http, repo, "main")[:-1]) == sorted(landed)
    assert len(landed) >= 15


def test_repositories_do_not_wait_for_each_other(hub: HubServer) -> None:
    """The lock is the repository's: commits to different ones all land."""

    def write(number: int) -> set[int]:
        with client(hub) as http:
            http.post("/api/repos/create", json={"type": "dataset", "name": f"r{number}"})
            return {commit(http, f"local/r{number}", [("a", b"%d" % turn)]).status_code for turn in range(10)}

    with ThreadPoolExecutor(WRITERS) as threads:
        assert set.union(*threads.map(write, range(WRITERS))) == {200}
