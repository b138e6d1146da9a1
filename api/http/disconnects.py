"""Notices that a client has disconnected before its answer is finished, and stops the work."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from litestar.types import Receive

T = TypeVar("T")
CLOSED_STATUS: Final = 499
"""What access logs say of a request whose caller went away; nginx made it common. Nobody gets to see it."""


class ClientDisconnected(Exception):
    """The caller closed the connection."""


async def left(receive: Receive) -> None:
    """Return when the caller is gone; what is left of the request's body is read and dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def unless_disconnected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; it is cancelled when the caller goes.

    Raises:
        ClientDisconnected: the caller went first.
    """
    return await unless(left(receive), work, error=ClientDisconnected)


async def unless(event: Coroutine[Any, Any, object], work: Coroutine[Any, Any, T], *, error: type[Exception]) -> T:
    """What `work` returns or raises; it is cancelled when `event` comes first, and `error` is raised."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise error
        return working.result()
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
