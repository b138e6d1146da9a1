"""One HTTP/1.1 connection of a server: it knows how long it has kept the server waiting, and ends in time."""

import asyncio
import contextlib
import math
from typing import Any, Final, cast

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from datahub_system.net.addresses import literal, subscriber
from datahub_system.net.connections import Connections, Phase

_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 48\r\n\r\n"
    b"This server has no room for another connection.\n"
)
_TIMEOUT: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


async def _refuse_head(_scope: Any, _receive: Any, send: Any) -> None:
    """An application that answers any request with 431."""
    headers = [(b"connection", b"close"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class _ForgivingTransport:
    """A transport to which writing is no error once it is closed: a client may go between two writes of an answer."""

    __slots__ = ("transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def write(self, data: bytes) -> None:
        """Send the data, or drop it when the connection is gone (uvloop raises RuntimeError then)."""
        if not self.transport.is_closing():
            with contextlib.suppress(RuntimeError):
                self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class LimitedConnection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection, which knows how long it has kept the server waiting."""

    server_state: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or turn it away."""
        super().connection_made(cast("asyncio.Transport", _ForgivingTransport(transport)))
        self._limits = self.server_state.limits
        if self.client is not None:  # a socket for IPv6 and IPv4 gives IPv4 addresses as if they were IPv6
            self.client = (str(literal(self.client[0]) or self.client[0]), self.client[1])
        self.address = subscriber(self.client[0]) if self.client else ""
        self.since_s = self.loop.time()
        self._answered_one = self.is_upgraded = self._head_begun = self._chunk_begun = False
        self._request_complete = True
        self._answering: RequestResponseCycle | None = None
        self._head_bytes = self._body_bytes = 0
        self._closing_since_s: float | None = None
        if not self.server_state.admit(self):
            transport.write(_REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more, and let none of its requests go on as if somebody waited for the answer."""
        self.server_state.forget(self)
        self._disconnect_all()
        super().connection_lost(exc)

    @property
    def phase(self) -> Phase:
        """What it is at."""
        if self.is_upgraded:
            return Phase.WORKING
        if self.cycle is not None and not self.cycle.response_complete:
            if self.flow.write_paused:
                return Phase.SENDING
            return Phase.WORKING if self._request_complete else Phase.RECEIVING
        if self._head_begun or not self._answered_one:
            return Phase.SILENT
        return Phase.IDLE if self._request_complete else Phase.RECEIVING

    @property
    def _is_discarding(self) -> bool:
        """Whether the answer is given, and the body of its request still comes."""
        return not self._request_complete and self.cycle is not None and self.cycle.response_complete

    def close_if_overdue(self) -> None:
        """Close it if the client has kept the server waiting for longer than the limits say."""
        now_s = self.loop.time()
        if self.transport.is_closing():
            self._give_up_flushing(now_s)
        elif now_s - self.since_s > self._patience_s():
            if self._head_begun:
                self.transport.write(_TIMEOUT)
            self.drop()

    def _patience_s(self) -> float:
        """How long it may stay in its phase."""
        limits = self._limits
        if self._is_discarding:
            return limits.linger_s
        match self.phase:
            case Phase.SILENT:
                return limits.head_s
            case Phase.IDLE:
                return limits.keep_alive_s
            case Phase.RECEIVING if not self.flow.read_paused:  # if it is, the application does not go on
                return limits.stalled_s + self._body_bytes / limits.body_rate
            case Phase.SENDING:
                return limits.stalled_s
        return math.inf

    def drop(self) -> None:
        """Close it, and at once where the client does not read what was sent."""
        self.server_state.forget(self)
        self._disconnect_all()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head or trailers that are too large are refused."""
        super().data_received(data)
        if self._head_begun or self._chunk_begun:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes and not self.transport.is_closing():
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """From here on another protocol has the connection; it still counts."""
        if not self.server_state.may_upgrade(self):
            self.transport.write(_REFUSAL)
            self.transport.close()
            return
        self.is_upgraded = True
        self.transport = cast("_ForgivingTransport", self.transport).transport
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_begun = True
        self._head_bytes = self._body_bytes = 0
        self.since_s = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. Trailers come here too, and are dropped: nobody asked for them, and they are no headers."""
        if self._head_begun:
            super().on_header(name, value)

    def on_chunk_header(self) -> None:
        """A chunk begins; if no body follows it was the last one, and trailers do."""
        self._chunk_begun = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is complete.

        Raises:
            HttpParserError: too many requests wait already; uvicorn closes the connection then.
        """
        if len(self.pipeline) >= self._limits.pipelined:
            raise HttpParserError("too many pipelined requests")
        self._head_begun = self._request_complete = False
        self.since_s = self.loop.time()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self._limits.head_bytes:
            self.app = _refuse_head  # it came in one piece, before `data_received` could count it
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._chunk_begun = False
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._request_complete, self._chunk_begun = True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is given."""
        self._answered_one = True
        self.since_s = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as the application writes."""
        self.since_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It went on reading."""
        self.since_s = self.loop.time()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect_all(self) -> None:
        """Tell the request being answered, and those that wait, that the client is gone: uvicorn tells the last one."""
        waiting = [cycle for cycle, _ in self.pipeline]
        self.pipeline.clear()
        for cycle in (*waiting, self._answering):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.flow.resume_writing()

    def _give_up_flushing(self, now_s: float) -> None:
        """A closing connection stays open until the client has read the rest: it gets a while for that."""
        if self.is_upgraded:  # the protocol that took over is told when it is gone, this one is not
            self.server_state.forget(self)
        elif self._closing_since_s is None:
            self._closing_since_s = now_s
        elif now_s - self._closing_since_s > self._limits.stalled_s:
            self.server_state.forget(self)
            self.transport.abort()
