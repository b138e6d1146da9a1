"""The command line and the served process: ready line, stop, one server a home, tokens, garbage collection."""

import os
import resource
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi

from tests.localhub.process import PATIENCE_S, HubProcess
from tests.localhub.wire import NDJSON, commit, commit_body, post_commit


def localhub(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localhub", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "hub"


def test_help_has_examples() -> None:
    help_text = localhub("--help").stdout
    assert "python -m localhub serve --home" in help_text
    assert "HF_ENDPOINT" in help_text
    for command in ("serve", "token", "gc"):
        assert "--home" in localhub(command, "--help").stdout


def test_wrong_options() -> None:
    assert localhub("serve").returncode == 2
    assert localhub().returncode == 2


def test_serves_from_the_ready_line_until_sigterm(home: Path) -> None:
    hub = HubProcess(home).start()
    client = hub.http()
    assert client.get("/api/whoami-v2").json()["name"] == "local"
    started = time.monotonic()
    assert hub.terminate() == 0
    assert time.monotonic() - started < PATIENCE_S  # though the client keeps its connection open
    client.close()


def test_sigterm_ends_it_in_the_middle_of_an_upload(home: Path) -> None:
    hub = HubProcess(home).start()
    hub.api().create_repo("prices", repo_type="dataset")
    fields = f"Host: localhost\r\nAuthorization: Bearer {hub.token}\r\n"
    head = f"POST /api/datasets/local/prices/commit/main HTTP/1.1\r\n{fields}"
    address = ("127.0.0.1", int(hub.url.rsplit(":", maxsplit=1)[1]))
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}Content-Type: {NDJSON}\r\n".encode())
        connection.sendall(b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")  # it waits for the body, which never comes
        started = time.monotonic()
        assert hub.terminate() == 0
        assert time.monotonic() - started < PATIENCE_S


def test_everything_survives_a_restart(home: Path) -> None:
    with HubProcess(home) as hub:
        api, token = hub.api(), hub.token
        repo = api.create_repo("prices", repo_type="dataset").repo_id
        sha = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset").oid
    with HubProcess(home) as hub:
        assert hub.token == token
        assert hub.api().dataset_info(repo).sha == sha


def test_owner_and_token_file(home: Path, tmp_path: Path) -> None:
    token_file = tmp_path / "elsewhere" / "token"
    with HubProcess(home, "--owner", "lab", "--token-file", str(token_file)) as hub:
        api = HfApi(endpoint=hub.url, token=token_file.read_text().strip())
        assert api.whoami()["name"] == "lab"
        assert api.create_repo("x", repo_type="dataset").repo_id == "lab/x"
    assert localhub("token", "--home", str(home), "--token-file", str(token_file)).stdout == token_file.read_text()
    assert not (home / "token").exists()


def test_tokens_take_effect_at_once(home: Path) -> None:
    with HubProcess(home) as hub:
        reader = localhub("token", "--home", str(home), "--add", "reader").stdout.strip()
        writer = localhub("token", "--home", str(home), "--add", "alice", "--role", "write").stdout.strip()
        assert HfApi(endpoint=hub.url, token=reader).whoami()["auth"]["accessToken"]["role"] == "read"
        assert HfApi(endpoint=hub.url, token=writer).create_repo("x", repo_type="dataset").repo_id == "alice/x"
        assert localhub("token", "--home", str(home), "--list").stdout == "reader\treader\tread\nalice\talice\twrite\n"
        again = localhub("token", "--home", str(home), "--add", "reader")
        assert again.returncode == 1
        assert "already" in again.stderr
        to_end_it = shlex.split(again.stderr.rpartition("To end it: ")[2])
        assert subprocess.run(to_end_it, timeout=30, check=False).returncode == 0
        assert httpx.get(f"{hub.url}/api/whoami-v2", headers={"Authorization": f"Bearer {reader}"}).status_code == 401
        assert localhub("token", "--home", str(home), "--revoke", "reader").returncode == 1


def test_a_token_stands_for_the_owner_only_when_that_is_said(home: Path) -> None:
    for owner in ("local", "lab"):
        asked = ("token", "--home", str(home), "--owner", owner, "--add", owner)
        refused = localhub(*asked)
        assert (refused.returncode, f"'{owner}' is the owner" in refused.stderr) == (1, True)
        assert localhub(*asked, "--user", owner).returncode == 0
    assert localhub("token", "--home", str(home), "--add", "else").returncode == 0


def test_two_servers_cannot_share_a_home(home: Path) -> None:
    with HubProcess(home):
        second = localhub("serve", "--home", str(home), "--port", "0")
        assert second.returncode == 1
        assert "another localhub is serving" in second.stderr


def test_a_taken_port_is_reported(home: Path, tmp_path: Path) -> None:
    with HubProcess(home) as hub:
        second = localhub("serve", "--home", str(tmp_path / "other"), "--port", hub.url.rsplit(":", maxsplit=1)[1])
    assert second.returncode == 1
    assert "Address already in use" in second.stderr


def test_gc_beside_a_running_server(home: Path) -> None:
    with HubProcess(home) as hub:
        api = hub.api()
        repo = api.create_repo("prices", repo_type="dataset").repo_id
        for number in range(3):
            content = f"version {number}".encode()
            api.upload_file(path_or_fileobj=content, path_in_repo="a", repo_id=repo, repo_type="dataset")
        api.super_squash_history(repo, repo_type="dataset")
        assert localhub("gc", "--home", str(home)).stdout == "removed 4 commits and 0 files, 0 bytes\n"
        assert localhub("gc", "--home", str(home), "--grace-s", "0").stdout.startswith("removed 0 commits and 2 files")
        assert Path(api.hf_hub_download(repo, "a", repo_type="dataset")).read_bytes() == b"version 2"


def test_webhook_secret_comes_from_the_environment(home: Path) -> None:
    os.environ.pop("LOCALHUB_TEST_SECRET", None)
    done = localhub(
        *("serve", "--home", str(home), "--port", "0"),
        *("--webhook-url", "http://127.0.0.1:9/", "--webhook-secret-env", "LOCALHUB_TEST_SECRET"),
    )
    assert done.returncode == 1
    assert "LOCALHUB_TEST_SECRET is not set" in done.stderr


def test_home_is_private(home: Path) -> None:
    with HubProcess(home):
        assert home.stat().st_mode & 0o077 == 0
        assert (home / "signing.key").stat().st_mode & 0o077 == 0


def test_what_a_killed_process_left_half_received_is_removed(home: Path) -> None:
    hub = HubProcess(home).start()
    hub.kill()
    (home / "incoming" / "half").write_bytes(b"1")
    with hub:
        assert list((home / "incoming").iterdir()) == []


def test_a_full_disk_is_reported_and_survived(home: Path) -> None:
    """A limit on the size of files stands in for the disk's end."""
    with HubProcess(home) as hub:
        api = hub.api()
        repo = api.create_repo("prices", repo_type="dataset").repo_id
        resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        content = b"x" * 3_000_000
        body = commit_body([("large.txt", content)])
        with hub.http() as http:
            answer = post_commit(http, repo, body)
            assert (answer.status_code, answer.json()["error"]) == (507, "No space left on the server's disk")
            assert commit(http, repo, [("small.txt", b"1")]).status_code == 200
        assert list((home / "incoming").iterdir()) == []
        assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "small.txt"]
