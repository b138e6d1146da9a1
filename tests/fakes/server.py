"""A small HTTP/1.1 server on a loopback socket, one thread, that can break an answer at the byte level.

Its own rather than a framework's, since those refuse to send a body shorter than promised or to hang up mid-answer.
"""

import asyncio
import json
import math
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Self, cast
from urllib.parse import parse_qsl

import httptools
import uvloop


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked. `params` keeps the last value of a repeated name; header names are in lower case."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends. `sent_bytes` fewer than the body: the rest is cut off and the connection closed.

    `delay_s` infinite: the answer never comes. `dropped`: the connection is closed without a byte.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json;charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    sent_bytes: int | None = None
    dropped: bool = False

    @classmethod
    def of(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """A JSON answer; NaN and Infinity go out as such, as broken services send them."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status=status, body=body, headers=headers or {})

    def later(self, delay_s: float) -> "Answer":
        """The same answer after so many more seconds."""
        return replace(self, delay_s=self.delay_s + delay_s)

    def dated(self, now_ms: int) -> "Answer":
        """The same answer with the server's time in its headers, as HTTP servers have it (RFC 9110, 6.6.1)."""
        return replace(self, headers={"Date": formatdate(now_ms / 1000, usegmt=True), **self.headers})

    def wire(self) -> bytes:
        """Status line, headers and as much of the body as is to be sent."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "?"
        lines = [
            f"HTTP/1.1 {self.status} {phrase}",
            f"content-type: {self.content_type}",
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body[: self.sent_bytes]


Handler = Callable[[Request], Answer]


class _Connection(asyncio.Protocol):
    """One client connection; requests on it are answered one after the other."""

    def __init__(self, handler: Handler, *, done: Callable[[], None], connections: "set[_Connection]") -> None:
        self._handler = handler
        self._done = done
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        url = httptools.parse_url(self._url)
        request = Request(
            method=self._parser.get_method().decode(),
            path=(url.path or b"/").decode("latin-1"),
            params=dict(parse_qsl((url.query or b"").decode(), keep_blank_values=True)),
            headers=self._headers,
            body=self._body,
        )
        answer = self._handler(request)
        if answer.delay_s == 0:
            self._send(answer)
        elif math.isfinite(answer.delay_s):
            asyncio.get_running_loop().call_later(answer.delay_s, self._send, answer)

    def _send(self, answer: Answer) -> None:
        self._done()
        if self.transport.is_closing():
            return
        if answer.dropped:
            self.transport.abort()
            return
        self.transport.write(answer.wire())
        if answer.sent_bytes is not None:
            self.transport.close()


class LoopbackServer:
    """Serves a handler on 127.0.0.1 from a thread of its own, between `start` and `stop` or inside `with`.

    `stop` then `start` is a service that goes down and comes back on the same port.
    """

    def __init__(self, handler: Handler, *, port: int = 0) -> None:
        self._handler = handler
        self._port = port
        self._thread: threading.Thread | None = None
        self.in_flight = 0
        self.peak_in_flight = 0

    @property
    def port(self) -> int:
        """The port it listens on; known once it has been started."""
        return self._port

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(512)
        self._port = listener.getsockname()[1]
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._serve_forever, args=(listener, ready), daemon=True)
        self._thread.start()
        self._loop, self._stopping = ready.result(timeout=10)

    def stop(self) -> None:
        """Close the door and every connection; returns when the thread has ended."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=10)
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve_forever(
        self, listener: socket.socket, ready: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"
    ) -> None:
        uvloop.run(self._serve(listener, ready))

    async def _serve(
        self, listener: socket.socket, ready: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"
    ) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        connections: set[_Connection] = set()
        self.in_flight = 0

        def connection() -> _Connection:
            return _Connection(self._counted, done=self._done, connections=connections)

        server = await loop.create_server(connection, sock=listener)
        ready.set_result((loop, stopping))
        await stopping.wait()
        server.close()
        for open_connection in list(connections):
            open_connection.transport.abort()
        await server.wait_closed()

    def _counted(self, request: Request) -> Answer:
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        return self._handler(request)

    def _done(self) -> None:
        self.in_flight -= 1
