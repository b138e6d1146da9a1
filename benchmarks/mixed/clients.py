"""The clients of a mixed load: one connection each, in a closed loop, in one thread of a process of their own."""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from benchmarks.measuring.http1 import AnswerEnd
from benchmarks.measuring.load import Server
from benchmarks.mixed.requests import KINDS, requests_of

_BUFFER_BYTES: Final = 1 << 20
_REFUSED_PAUSE_S: Final = 0.5
"""What a client that is told to come again later waits."""


@dataclass(slots=True)
class Seen:
    """What the clients of one kind saw: seconds of each whole answer, and how often which other status than 200."""

    seconds: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)


class _Client:
    """One connection with one request in flight, or none while it waits to ask again."""

    __slots__ = ("answer", "asks_at_s", "kind", "requests", "sent_at_s", "sock")

    def __init__(self, kind: str, port: int, requests: Iterator[bytes]) -> None:
        self.kind = kind
        self.requests = requests
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = AnswerEnd()
        self.sent_at_s = self.asks_at_s = 0.0

    def send(self) -> None:
        self.answer = AnswerEnd()
        self.sent_at_s = time.perf_counter()
        self.sock.sendall(next(self.requests))


def run_clients(server: Server, *, since: str, duration_s: float, seed: int) -> dict[str, Seen]:
    """Ask for `duration_s`; what each kind saw. Answers in flight at the end are not waited for.

    Raises:
        ConnectionError: the server hung up.
    """
    asked = {kind: requests_of(kind, server, since=since, seed=seed) for kind in KINDS}
    clients = [_Client(kind, server.port, asked[kind]) for kind, some in KINDS.items() for _ in range(some)]
    seen = {kind: Seen() for kind in KINDS}
    try:
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.sock, selectors.EVENT_READ, client)
                client.send()
            _loop(selector, seen, until_s=time.perf_counter() + duration_s)
    finally:
        for client in clients:
            client.sock.close()
    return seen


def _loop(selector: selectors.BaseSelector, seen: dict[str, Seen], *, until_s: float) -> None:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    waiting: list[_Client] = []
    while (now_s := time.perf_counter()) < until_s:
        for client in [one for one in waiting if one.asks_at_s <= now_s]:
            waiting.remove(client)
            client.send()
        for key, _ in selector.select(timeout=0.1):
            client = key.data
            size = client.sock.recv_into(buffer)
            if not size:
                raise ConnectionError(f"the server closed a connection of {client.kind}")
            if not client.answer.feed(buffer[:size]):
                continue
            if client.answer.status == 200:
                seen[client.kind].seconds.append(time.perf_counter() - client.sent_at_s)
                client.send()
            else:
                seen[client.kind].refused[client.answer.status] += 1
                client.asks_at_s = time.perf_counter() + _REFUSED_PAUSE_S
                waiting.append(client)
