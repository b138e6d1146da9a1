"""Server-sent events over ASGI: how they are written (HTML standard, "Server-sent events"), and when sending ends.

What is sent is not known here; that a client does not take it is `delivery`'s business.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from litestar.types import Receive, Scope, Send

from api.presence import CallerLeft, unless_left

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


class EventStream:
    """An ASGI answer that sends chunks as they come, until they end or the client goes."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        with contextlib.suppress(CallerLeft):
            await unless_left(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
