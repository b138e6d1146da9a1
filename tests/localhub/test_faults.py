"""The misbehaviour other tests order is what the real Hub's looks like to its client."""

import subprocess
import sys
import time

import httpx
import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from localhub.testing import HubServer


def commit(api: HfApi, repo: str, content: bytes, parent: str | None = None) -> str:
    operation = CommitOperationAdd("a.txt", content)
    return api.create_commit(repo, [operation], commit_message="a", repo_type="dataset", parent_commit=parent).oid


def head(api: HfApi, repo: str) -> str:
    return api.list_repo_commits(repo, repo_type="dataset")[0].commit_id


def refusal(api: HfApi, repo: str, content: bytes, parent: str | None = None) -> httpx2.Response:
    with pytest.raises(HfHubHTTPError) as caught:
        commit(api, repo, content, parent)
    return caught.value.response


def test_rate_limit_says_when_to_come_back(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.faults.rate_limit(retry_after_s=7)
    before = head(api, repo)
    response = refusal(api, repo, b"1")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert head(api, repo) == before
    assert commit(api, repo, b"1") == head(api, repo)


def test_quota_counts_landed_commits_only(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.faults.commit_quota(2)
    hub.faults.conflict_on_commit()
    assert refusal(api, repo, b"0").status_code == 409
    commit(api, repo, b"1")
    commit(api, repo, b"2")
    response = refusal(api, repo, b"3")
    assert response.status_code == 429
    assert 3590 <= int(response.headers["Retry-After"]) <= 3600
    hub.faults.clear()
    commit(api, repo, b"3")


def test_failure_after_the_commit_landed(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.faults.fail_after_commit()
    before = head(api, repo)
    assert refusal(api, repo, b"1").status_code == 500
    assert head(api, repo) != before
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "a.txt"]


@pytest.mark.parametrize("with_parent", [True, False])
def test_a_rival_wins_the_race(hub: HubServer, api: HfApi, repo: str, *, with_parent: bool) -> None:
    parent = head(api, repo)
    hub.faults.race_commit()
    assert refusal(api, repo, b"1", parent if with_parent else None).status_code == 412
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "rival-1.txt"]
    assert refusal(api, repo, b"1", parent).status_code == 412
    commit(api, repo, b"1", head(api, repo))


DROPPED = (httpx2.RemoteProtocolError, httpx2.ReadError)
"""An end of the connection, or its reset: the system resets it when not all of the request was read by then."""


@pytest.mark.parametrize("landed", [True, False])
def test_dropped_connection(hub: HubServer, api: HfApi, repo: str, *, landed: bool) -> None:
    before = head(api, repo)
    (hub.faults.drop_after if landed else hub.faults.drop_before)()
    with pytest.raises(DROPPED):
        commit(api, repo, b"1")
    assert (head(api, repo) != before) is landed


def test_dropped_download(hub: HubServer, api: HfApi, http: httpx.Client, repo: str) -> None:
    api.upload_file(path_or_fileobj=b"x" * 300_000, path_in_repo="a.txt", repo_id=repo, repo_type="dataset")
    url = f"/datasets/{repo}/resolve/main/a.txt"
    hub.faults.drop_within(after_bytes=100_000, on="GET .*/resolve/")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(url)
    assert len(http.get(url).content) == 300_000


def test_slow_answer(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.faults.slow(0.3, on=r"GET /api/datasets/local/prices$")
    started = time.monotonic()
    api.repo_info(repo, repo_type="dataset")
    assert time.monotonic() - started >= 0.3


def test_stopped_hub_refuses_and_comes_back_with_its_data(
    hub: HubServer, api: HfApi, http: httpx.Client, repo: str
) -> None:
    sha = commit(api, repo, b"1")
    hub.stop()
    with pytest.raises(httpx.ConnectError):  # the Hub's own client would retry for half a minute
        http.get("/api/whoami-v2")
    hub.start()
    assert head(api, repo) == sha


def test_the_production_server_does_not_know_the_faults() -> None:
    script = "import sys, localhub.cli, localhub.server; print([m for m in sys.modules if m.startswith('localhub')])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "localhub.app.asgi" in loaded
    assert "localhub.faults" not in loaded
    assert "localhub.testing" not in loaded


def test_requests_are_listed(hub: HubServer, api: HfApi, repo: str) -> None:
    hub.faults.seen.clear()
    api.repo_info(repo, repo_type="dataset")
    assert hub.faults.seen == ["GET /api/datasets/local/prices"]
