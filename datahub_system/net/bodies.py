"""ASGI middleware that bounds request bodies in bytes (413) and in time (408).

A body may come in many small pieces over a long time, or without a Content-Length; both are counted while the
application reads. What a body means is the application's business.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

_LOG: Final = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""Frameworks have their own types for these three."""

ENDED_EARLY: Final = "datahub_system.net.body_ended_early"
"""True in the scope of a request whose body did not come to its end: the client left, or the body was refused."""
_DISCONNECT: Final[Mapping[str, str]] = {"type": "http.disconnect"}


@dataclass(frozen=True, slots=True)
class BodyRefusal:
    """Why a body is refused: the HTTP status (413 or 408), a stable code, and a sentence."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class RefusalResponse:
    """How a refusal is answered. `connection: close` and the length are added: the rest of the body is not read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


Refuse = Callable[[Scope, BodyRefusal], RefusalResponse]


def problem_response(_: Scope, refusal: BodyRefusal) -> RefusalResponse:
    """The refusal as problem details (RFC 9457)."""
    problem = {"status": refusal.status, "code": refusal.code, "detail": refusal.detail}
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    return RefusalResponse(refusal.status, headers, json.dumps(problem).encode())


class BodyLimit:
    """Middleware around an ASGI application.

    Args:
        app: the application. Nothing is raised into it: when a body is refused it sees the client disconnect, and what
            it sends or raises after that is dropped.
        max_bytes: the largest body, or what tells it from the scope.
        seconds: how long the application may have to wait for the whole body. Time it spends otherwise does not count.
        bytes_per_s: this many bytes that came earn one second more, so that large bodies may take their time.
        refuse: how a refusal is answered.
    """

    def __init__(
        self,
        app: App,
        *,
        max_bytes: int | Callable[[Scope], int],
        seconds: float,
        bytes_per_s: float | None = None,
        refuse: Refuse = problem_response,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._bytes_per_s = bytes_per_s
        self._refuse = refuse

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared_bytes(scope)
        if declared == 0:
            await self._app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope) if callable(self._max_bytes) else self._max_bytes
        body = _CountedBody(
            scope, receive, send, max_bytes=max_bytes, seconds=self._seconds, per_s=self._bytes_per_s, say=self._refuse
        )
        if declared is not None and declared > max_bytes:
            await body.refuse_size()
            return
        try:
            await self._app(scope, body.receive, body.send)
        except Exception as error:
            if not body.ended_early:
                raise
            _LOG.debug("%s: the request's body ended early: %r", scope["path"], error)


class _CountedBody:
    """The two channels of one request, as the application gets them."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        max_bytes: int,
        seconds: float,
        per_s: float | None,
        say: Refuse,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._per_s = per_s
        self._say = say
        self._bytes = 0
        self._waited_s = 0.0
        self._is_whole = False
        self._has_answer = False
        self._is_over = False
        self.ended_early = False

    async def receive(self) -> Message:
        """The next piece of the body; when there may be no more of it, the client seems to be gone."""
        if self._is_whole:
            return await self._receive()
        if self.ended_early:
            return dict(_DISCONNECT)
        message = await self._waited_for()
        if message is None:
            await self._end(
                BodyRefusal(408, "request_timeout", f"the request's body did not come within {self._seconds:g} s")
            )
        elif message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            if self._bytes <= self._max_bytes:
                self._is_whole = not message.get("more_body", False)
                return message
            await self.refuse_size()
        else:
            await self._end(None)
        return dict(_DISCONNECT)

    async def send(self, message: Message) -> None:
        """Send a message of the answer, unless the request was answered already or nobody is there."""
        if not self._is_over:
            self._has_answer = True
            await self._send(message)

    async def refuse_size(self) -> None:
        """Answer that the body is too large."""
        detail = f"the request's body has more than {self._max_bytes:,} bytes, which is the most that is accepted"
        await self._end(BodyRefusal(413, "request_too_large", detail))

    async def _waited_for(self) -> Message | None:
        """The next message; None when it did not come in time."""
        earned_s = self._bytes / self._per_s if self._per_s else 0.0
        clock = asyncio.get_running_loop().time
        began_s = clock()
        try:
            async with asyncio.timeout(max(0.0, self._seconds + earned_s - self._waited_s)) as waiting:
                return await self._receive()
        except TimeoutError:
            if not waiting.expired():
                raise
            return None
        finally:
            self._waited_s += clock() - began_s

    async def _end(self, refusal: BodyRefusal | None) -> None:
        """Take no more of the body; say why, unless the client is gone or is being answered already."""
        self.ended_early = self._scope[ENDED_EARLY] = True
        if refusal is not None and self._has_answer:
            return
        self._is_over = True
        if refusal is None:
            return
        said = self._say(self._scope, refusal)
        closing = [(b"content-length", b"%d" % len(said.body)), (b"connection", b"close")]
        await self._send({"type": "http.response.start", "status": said.status, "headers": [*said.headers, *closing]})
        await self._send({"type": "http.response.body", "body": said.body, "more_body": False})


def _declared_bytes(scope: Scope) -> int | None:
    """How long the body is: 0 when there is none, None when only reading it tells."""
    is_chunked = not str(scope.get("http_version", "1.1")).startswith("1")  # HTTP/2 frames need no header
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
        is_chunked |= name in {b"transfer-encoding", b"content-length"}
    return None if is_chunked else 0
