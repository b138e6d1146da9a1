"""Server-sent events over ASGI: how they are written (HTML standard, "Server-sent events"), and when sending ends.

What is sent is not known here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from litestar.types import Receive, Scope, Send

from api.presence import left

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT: Final = b": still here\n\n"
PIECE_BYTES: Final = 64 * 1024
"""Most that is sent at once: a server takes what it is given whole, and keeps it while the client does not read."""
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


def event(name: str, data: bytes, *, event_id: str) -> bytes:
    """An event as it goes over the wire; `data` is JSON on one line."""
    return b"event: " + name.encode() + b"\nid: " + event_id.encode() + b"\ndata: " + data + b"\n\n"


class EventStream:
    """An ASGI answer that sends chunks as they come, until they end, the client goes, or it does not take them.

    A client that takes longer than `patience_s` for one chunk is hung up on, so that nothing piles up behind it.
    """

    def __init__(self, chunks: AsyncIterator[bytes], *, patience_s: float) -> None:
        self._chunks = chunks
        self._patience_s = patience_s

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            ended = (await asyncio.gather(sending, leaving, return_exceptions=True))[0]
        if isinstance(ended, Exception) and not isinstance(ended, TimeoutError):
            raise ended

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                # Not `wait_for`: in Python 3.11 it forgets that it was cancelled when what it waits for is just done.
                async with asyncio.timeout(self._patience_s):
                    for start in range(0, len(chunk), PIECE_BYTES):
                        piece = chunk[start : start + PIECE_BYTES]
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
