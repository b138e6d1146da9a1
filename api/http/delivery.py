"""Sends the body of an answer, a large one in pieces, and disconnects a client that does not read them."""

import asyncio
import logging
from types import TracebackType
from typing import Final, Self

from litestar.types import Message, Send

_LOG: Final = logging.getLogger(__name__)
PATIENCE_S: Final = 30.0
"""A client that takes longer for one piece is disconnected."""
PIECE_BYTES: Final = 256 * 1024
"""Most that is sent at once: a server takes what it is given whole, and keeps it while the client does not read.

Once the client does not take it, uvicorn lets the next `send` wait.
"""


class Delivery:
    """Sending one answer, for as long as the context lasts; a client that does not read ends the context.

    The block is cancelled then, wherever it is, so that nothing more is computed for the client. The answer stays
    unfinished, and the server closes the connection as soon as what is under way is read, or the client goes.
    """

    def __init__(self, send: Send, *, patience_s: float | None = None) -> None:
        self._send = send
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._in_pieces = False

    async def __aenter__(self) -> Self:
        """Begin."""
        self._waiting = await asyncio.timeout(None).__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Finish; a client that did not read is logged, and is no error."""
        try:
            await self._waiting.__aexit__(kind, error, trace)
        except TimeoutError:
            _LOG.info("a client did not read its answer for %g s and is disconnected", self._patience_s)
            return True
        return False

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        self._in_pieces |= more or len(body) > PIECE_BYTES
        if not self._in_pieces:
            await self._send(message)
            return
        for start in range(0, max(len(body), 1), PIECE_BYTES):
            end = start + PIECE_BYTES
            self._waiting.reschedule(asyncio.get_running_loop().time() + self._patience_s)
            await self._send(
                {"type": "http.response.body", "body": body[start:end], "more_body": more or end < len(body)}
            )
        self._waiting.reschedule(None)
