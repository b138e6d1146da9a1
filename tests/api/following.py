"""A client of the stream, as tests use it: in a thread, one event after the other."""

import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from localhub.testing import HubServer

WAIT_S = 20.0


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Any


class Follower:
    """A client that follows, in a thread; `next` waits for an event."""

    def __init__(
        self, url: str, token: str, *, since: str | None = None, silence_s: float = WAIT_S, **params: str
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": since} if since else {})
        self.status = 0
        self.headers: httpx.Headers | None = None
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._error: Exception | None = None
        self._client = httpx.Client(timeout=silence_s)
        self._answer = self._client.send(
            self._client.build_request("GET", f"{url}/api/hub/stream", params=params, headers=headers), stream=True
        )
        self.status, self.headers = self._answer.status_code, self._answer.headers
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "event" in fields:
                    self._events.put(Event(fields["event"], fields["id"], json.loads(fields["data"])))
                    fields = {}
        except (httpx.HTTPError, httpx.StreamClosed) as error:
            self._error = error
        self._events.put(None)

    def next(self) -> Event:
        found = self._events.get(timeout=WAIT_S)
        assert found is not None, f"the stream ended: {self._error!r}"
        return found

    def ended(self) -> bool:
        return self._events.get(timeout=WAIT_S) is None

    def close(self) -> None:
        # The connection stays open as long as the thread waits for more, whoever closes it.
        with suppress(OSError):
            self._answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._answer.close()
        self._client.close()


@contextmanager
def following(
    url: str,
    hub: HubServer,
    *,
    since: str | None = None,
    token: str | None = None,
    silence_s: float = WAIT_S,
    **params: str,
) -> Iterator[tuple[Follower, Event]]:
    """A follower, and the `ready` it began with. It gives up where nothing comes for so long, not even a comment."""
    follower = Follower(url, token or hub.token, since=since, silence_s=silence_s, **params)
    try:
        ready = follower.next()
        assert ready.name == "ready"
        yield follower, ready
    finally:
        follower.close()
