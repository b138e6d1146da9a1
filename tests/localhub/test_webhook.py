"""What the configured URL is told of each change."""

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, WebhookPayload

from localhub.testing import HubServer
from tests.localhub.process import PATIENCE_S, HubProcess

SECRET = "s3cret"


@dataclass
class Receiver:
    """A URL that keeps what it is sent; the next `failures` deliveries are answered 500."""

    url: str = ""
    failures: int = 0
    received: "queue.Queue[tuple[str | None, dict[str, Any]]]" = field(default_factory=queue.Queue)

    def next(self) -> dict[str, Any]:
        secret, body = self.received.get(timeout=20)
        assert secret == SECRET
        return body


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            failing = receiver.failures > 0
            receiver.failures -= failing
            if not failing:
                receiver.received.put((self.headers["X-Webhook-Secret"], body))
            self.send_response(500 if failing else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        yield receiver
        server.shutdown()


@pytest.fixture
def api(receiver: Receiver, tmp_path: Path) -> Iterator[HfApi]:
    with HubServer(tmp_path / "hub", webhook_url=receiver.url, webhook_secret=SECRET) as hub:
        yield HfApi(endpoint=hub.url, token=hub.token)


def test_every_change_is_told_in_order(api: HfApi, receiver: Receiver) -> None:
    repo = api.create_repo("prices", repo_type="dataset").repo_id
    created = receiver.next()
    assert created["event"] == {"action": "create", "scope": "repo"}
    sha = api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset").oid
    pushed = receiver.next()
    assert pushed["event"] == {"action": "update", "scope": "repo.content"}
    assert pushed["updatedRefs"] == [{"ref": "refs/heads/main", "oldSha": created["repo"]["headSha"], "newSha": sha}]
    assert pushed["repo"]["headSha"] == sha
    assert (pushed["repo"]["name"], pushed["repo"]["type"]) == (repo, "dataset")
    assert pushed["repo"]["url"]["web"] == f"{api.endpoint}/datasets/{repo}"
    payload = WebhookPayload(**pushed)
    assert (payload.repo.name, payload.webhook.version) == (repo, 3)

    api.create_tag(repo, tag="v1", repo_type="dataset")
    assert receiver.next()["updatedRefs"] == [{"ref": "refs/tags/v1", "oldSha": None, "newSha": sha}]
    api.delete_tag(repo, tag="v1", repo_type="dataset")
    assert receiver.next()["updatedRefs"] == [{"ref": "refs/tags/v1", "oldSha": sha, "newSha": None}]
    api.create_branch(repo, branch="dev", repo_type="dataset")
    assert receiver.next()["updatedRefs"] == [{"ref": "refs/heads/dev", "oldSha": None, "newSha": sha}]
    api.super_squash_history(repo, repo_type="dataset")
    (squashed,) = receiver.next()["updatedRefs"]
    assert (squashed["oldSha"], squashed["newSha"]) == (sha, api.dataset_info(repo).sha)
    api.update_repo_settings(repo, private=True, repo_type="dataset")
    assert receiver.next()["event"] == {"action": "update", "scope": "repo.config"}
    api.move_repo(repo, "local/moved", repo_type="dataset")
    assert receiver.next()["movedTo"]["name"] == "local/moved"
    api.delete_repo("local/moved", repo_type="dataset")
    assert receiver.next()["event"] == {"action": "delete", "scope": "repo"}
    assert receiver.received.empty()


def test_a_failed_delivery_is_tried_again(api: HfApi, receiver: Receiver) -> None:
    receiver.failures = 1
    api.create_repo("prices", repo_type="dataset")
    assert receiver.next()["event"]["action"] == "create"


def test_refused_commits_are_not_told(api: HfApi, receiver: Receiver) -> None:
    repo = api.create_repo("prices", repo_type="dataset").repo_id
    api.create_repo("prices", repo_type="dataset", exist_ok=True)
    receiver.next()
    api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset")
    assert receiver.next()["event"]["action"] == "update"


def test_a_dead_receiver_holds_up_nothing(tmp_path: Path) -> None:
    with HubServer(tmp_path / "hub", webhook_url="http://127.0.0.1:9/hook") as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        repo = api.create_repo("prices", repo_type="dataset").repo_id
        api.upload_file(path_or_fileobj=b"1", path_in_repo="a", repo_id=repo, repo_type="dataset")
        assert api.file_exists(repo, "a", repo_type="dataset")


def test_a_receiver_that_never_answers_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub = HubProcess(tmp_path / "hub", "--webhook-url", f"http://127.0.0.1:{silent.getsockname()[1]}/").start()
        hub.api().create_repo("prices", repo_type="dataset")
        connection, _ = silent.accept()
        with connection:
            started = time.monotonic()
            assert hub.terminate() == 0
            assert time.monotonic() - started < PATIENCE_S
