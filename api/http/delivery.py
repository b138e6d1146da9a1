"""Sends a large body in pieces, and gives up on a client that does not read them."""

import asyncio
from typing import Final

from litestar.types import HTTPResponseBodyEvent, Send

PATIENCE_S: Final = 30.0
"""A client that takes longer for one piece is disconnected."""
PIECE_BYTES: Final = 256 * 1024
"""Most that is sent at once: a server takes what it is given whole, and keeps it while the client does not read.

Once the client does not take it, uvicorn lets the next `send` wait.
"""


async def send_in_pieces(message: HTTPResponseBodyEvent, send: Send, patience: asyncio.Timeout) -> None:
    """Send a part of a body. While it waits for the client, `patience` runs out after PATIENCE_S."""
    body, more = message.get("body", b""), message.get("more_body", False)
    for start in range(0, max(len(body), 1), PIECE_BYTES):
        end = start + PIECE_BYTES
        patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
        piece: HTTPResponseBodyEvent = {
            "type": "http.response.body",
            "body": body[start:end],
            "more_body": more or end < len(body),
        }
        await send(piece)
    patience.reschedule(None)
