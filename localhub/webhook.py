"""Telling one configured URL about changes, in the Hub's webhook format, without ever holding up a request.

The endpoints hand it events; it writes and delivers them.

The payload is version 3 as read by huggingface_hub 2.4 (`_webhooks_payload.py`); the secret travels in `X-Webhook-
Secret`.
"""

import logging
import secrets
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event as Flag
from threading import Thread
from typing import Any, Literal

import httpx

from datahub_system.net.clients import client
from localhub.protocol.shapes import account_id
from localhub.store.repos import Repo

log = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_PAUSE_S = 1.0
TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 0.5
MAX_WAITING = 1000


@dataclass(frozen=True, kw_only=True)
class RefUpdate:
    """A ref that moved; None stands for "did not exist"."""

    ref: str
    old_sha: str | None
    new_sha: str | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change: `scope` is `repo` for the repository itself, `repo.content` for what it holds, else `repo.config`."""

    action: Literal["create", "delete", "move", "update"]
    scope: Literal["repo", "repo.content", "repo.config"]
    repo: Repo
    base_url: str
    head_sha: str | None = None
    updated: tuple[RefUpdate, ...] = ()
    moved_to: Repo | None = None


class Webhook:
    """Delivers events one by one, in order, each tried `ATTEMPTS` times; what fails then is logged and dropped."""

    def __init__(self, url: str, *, secret: str | None = None) -> None:
        self._url = url
        self._id = secrets.token_hex(12)
        headers = {} if secret is None else {"X-Webhook-Secret": secret}
        # Direct: the receiver is another process of this machine or its network, never one behind a proxy.
        self._client = client(headers=headers, timeout=TIMEOUT_S, direct=True)
        self._waiting: Queue[dict[str, Any] | None] = Queue(MAX_WAITING)
        self._closing = Flag()
        self._thread = Thread(target=self._run, name="localhub-webhook", daemon=True)
        self._thread.start()

    def send(self, event: Event) -> None:
        """Queue an event for delivery."""
        self._put(payload(event, webhook_id=self._id))

    def close(self) -> None:
        """Stop delivering; what still waits is dropped, and a receiver that does not answer is not waited for."""
        self._closing.set()
        self._put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        if not self._thread.is_alive():
            self._client.close()

    def _put(self, body: dict[str, Any] | None) -> None:
        try:
            self._waiting.put_nowait(body)
        except Full:
            log.warning("webhook %s: %d events wait already, one more is dropped", self._url, MAX_WAITING)

    def _run(self) -> None:
        while (body := self._waiting.get()) is not None and not self._closing.is_set():
            self._deliver(body)

    def _deliver(self, body: dict[str, Any]) -> None:
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._client.post(self._url, json=body).raise_for_status()
            except httpx.HTTPError as error:
                log.warning("webhook %s, attempt %d of %d: %s", self._url, attempt, ATTEMPTS, error)
            else:
                return
            if attempt < ATTEMPTS and self._closing.wait(pause_s):
                return
            pause_s *= 2


def payload(event: Event, *, webhook_id: str) -> dict[str, Any]:
    """The JSON an event is told as."""
    repo = event.repo
    api_path = f"{event.base_url}/api/{repo.kind}s/{repo.full_name}"
    web_prefix = "" if repo.kind == "model" else f"{repo.kind}s/"
    body: dict[str, Any] = {
        "event": {"action": event.action, "scope": event.scope},
        "repo": {
            "type": repo.kind,
            "name": repo.full_name,
            "id": repo.public_id,
            "private": repo.private,
            "url": {"web": f"{event.base_url}/{web_prefix}{repo.full_name}", "api": api_path},
            "owner": {"id": account_id(repo.namespace)},
            "headSha": event.head_sha,
            "tags": [],
        },
        "webhook": {"id": webhook_id, "version": 3},
    }
    if event.updated:
        body["updatedRefs"] = [
            {"ref": update.ref, "oldSha": update.old_sha, "newSha": update.new_sha} for update in event.updated
        ]
    if event.moved_to is not None:
        body["movedTo"] = {"name": event.moved_to.full_name, "owner": {"id": account_id(event.moved_to.namespace)}}
    return body
