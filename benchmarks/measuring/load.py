"""The load client: N keep-alive connections in a closed loop, the same for every contestant.

One thread, one selector, no body is decoded. What the answers say is verified before, in `equal`, never while timing.
"""

import gc
import math
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from benchmarks.measuring.http1 import AnswerEnd

_BUFFER_BYTES: Final = 1 << 20


class WrongAnswer(Exception):
    """A server answered with another status than the one the benchmark is about."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of the client saw: answers a second, latencies in milliseconds, bytes with heads."""

    answers: int
    elapsed_s: float
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Server:
    """Where a contestant listens on loopback, and the header fields each request to it carries."""

    port: int
    headers: Mapping[str, str]


def get(server: Server, target: str, **fields: str) -> bytes:
    """The bytes of a GET request for `target` (path and query), `fields` added (`if_none_match` -> If-None-Match)."""
    return _request("GET", server, target, b"", fields)


def post(server: Server, target: str, body: bytes, **fields: str) -> bytes:
    """The bytes of a POST request with `body`."""
    return _request("POST", server, target, body, fields)


def _request(method: str, server: Server, target: str, body: bytes, fields: Mapping[str, str]) -> bytes:
    extra = {name.replace("_", "-"): value for name, value in fields.items()}
    if method == "POST":
        extra["content-length"] = str(len(body))
    lines = [f"{name}: {value}\r\n" for name, value in {**server.headers, **extra}.items()]
    return f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n{''.join(lines)}\r\n".encode() + body


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


class _Connection:
    """One socket with one request in flight."""

    __slots__ = ("answer", "requests", "sent_at", "sock")

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.answer = AnswerEnd()
        self.sent_at = 0.0

    def send(self) -> None:
        self.answer = AnswerEnd()
        self.sent_at = time.perf_counter()
        self.sock.sendall(next(self.requests))


def run(server: Server, requests: Sequence[bytes], *, connections: int, duration_s: float, status: int = 200) -> Load:
    """Send `requests` round and round over `connections` sockets for `duration_s`; every answer must have `status`.

    Each connection waits for its answer before it sends again. Answers in flight at the end are
    awaited, not counted, unless there was none before.

    Raises:
        WrongAnswer: an answer had another status.
        ConnectionError: the server hung up.
    """
    source = cycle(requests)
    opened = [_Connection(server.port, source) for _ in range(connections)]
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    gc.disable()
    try:
        with selectors.DefaultSelector() as selector:
            for connection in opened:
                selector.register(connection.sock, selectors.EVENT_READ, connection)
            return _loop(opened, selector, buffer, duration_s=duration_s, status=status)
    finally:
        gc.enable()
        for connection in opened:
            connection.sock.close()


def _loop(
    opened: Sequence[_Connection],
    selector: selectors.BaseSelector,
    buffer: memoryview,
    *,
    duration_s: float,
    status: int,
) -> Load:
    latencies: list[float] = []
    received = 0
    started = time.perf_counter()
    counted_until = deadline = started + duration_s
    for connection in opened:
        connection.send()
    in_flight = len(opened)
    while in_flight:
        for key, _ in selector.select():
            connection = key.data
            size = connection.sock.recv_into(buffer)
            if not size:
                raise ConnectionError("the server closed a connection in the middle of the load")
            received += size
            if not connection.answer.feed(buffer[:size]):
                continue
            now = time.perf_counter()
            if connection.answer.status != status:
                text = bytes(buffer[: min(size, 600)])
                raise WrongAnswer(f"expected {status}, got {connection.answer.status}: {text!r}")
            if now < deadline or not latencies:
                latencies.append(now - connection.sent_at)
                counted_until = max(deadline, now)
            if now < deadline:
                connection.send()
            else:
                in_flight -= 1
    return _load(latencies, elapsed_s=counted_until - started, received=received)


def _load(latencies: list[float], *, elapsed_s: float, received: int) -> Load:
    return Load(
        answers=len(latencies),
        elapsed_s=elapsed_s,
        per_s=len(latencies) / elapsed_s,
        p50_ms=percentile(latencies, 0.50) * 1e3,
        p95_ms=percentile(latencies, 0.95) * 1e3,
        p99_ms=percentile(latencies, 0.99) * 1e3,
        received_bytes=received,
    )
