"""Server-sent events over ASGI: how they are written (HTML standard, "Server-sent events"), and when sending ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from litestar.types import Receive, Scope, Send

from api.http.disconnects import ClientDisconnected, unless, unless_disconnected

_LOG: Final = logging.getLogger(__name__)
MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT: Final = b": still here\n\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


def event(name: str, data: bytes, *, event_id: str) -> bytes:
    """An event as it goes over the wire; `data` is JSON on one line."""
    return b"event: " + name.encode() + b"\nid: " + event_id.encode() + b"\ndata: " + data + b"\n\n"


class AccessEnded(Exception):
    """The subscriber's token is no longer accepted."""


async def never() -> None:
    """Wait without end."""
    await asyncio.Event().wait()


class EventStream:
    """An ASGI answer that sends chunks as they come, until they end, the client goes, or its token is refused.

    `refused` waits until the caller may not read here any longer; the stream is ended then, wherever it is.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], *, refused: Callable[[], Coroutine[Any, Any, object]] = never
    ) -> None:
        self._chunks = chunks
        self._refused = refused

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        with contextlib.suppress(ClientDisconnected):
            await unless_disconnected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        try:
            await unless(self._refused(), self._send_chunks(send), error=AccessEnded)
        except AccessEnded:
            _LOG.info("a stream ends: its token is accepted no longer")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_chunks(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
