"""Notices that a client has disconnected before its answer is finished, and stops the work."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final, TypeVar

from litestar import Request, Response
from litestar.types import Receive

T = TypeVar("T")
CLOSED_STATUS: Final = 499
"""What access logs say of a request whose caller went away; nginx made it common. Nobody gets to see it."""


_LEFT: Final[ContextVar[threading.Event | None]] = ContextVar("caller left", default=None)
"""Within work of `while_connected`: set once the caller is gone."""


class ClientDisconnected(Exception):
    """The caller closed the connection."""


def nobody_there(_: Request[Any, Any, Any], __: ClientDisconnected) -> Response[bytes]:
    """What is answered where the caller went first, as an exception handler."""
    return Response(b"", status_code=CLOSED_STATUS, headers={"Cache-Control": "no-store"})


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


async def while_connected(
    receive: Receive, work: Callable[[], T], *, run: Callable[[Callable[[], T]], Coroutine[Any, Any, T]]
) -> T:
    """What `work` returns or raises, done by `run` in a thread; when the caller goes, it ends where it next asks
    `stop_if_left`.

    Raises:
        ClientDisconnected: the caller went first.
    """
    is_left = threading.Event()
    context = copy_context()
    context.run(_LEFT.set, is_left)
    try:
        return await unless_disconnected(receive, run(partial(context.run, work)))
    finally:
        is_left.set()


def stop_if_left() -> None:
    """For work of many steps, between them: end it when nobody waits for what it makes.

    Raises:
        ClientDisconnected: it is work of `while_connected`, whose caller is gone.
    """
    is_left = _LEFT.get()
    if is_left is not None and is_left.is_set():
        raise ClientDisconnected


def until_left(chunks: Iterable[T]) -> Iterator[T]:
    """The chunks, as `stop_if_left` lets them be made."""
    for chunk in chunks:
        stop_if_left()
        yield chunk


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
