"""Threads in which answers are worked out, apart from the event loop: small work does not wait behind large work.

Libraries share one pool of native threads within the process, so while large work is under way, small work that would
only take a moment waits for it too. That wait must not be the event loop's, which all others share.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from api.http.errors import ServerBusy

_MOST_WAITING: Final = 64
"""Large answers that may wait for a thread; each is worth a good part of a second."""
_RETRY_AFTER_S: Final = 5
P = ParamSpec("P")
T = TypeVar("T")


class WorkThreads:
    """A thread for small work and a few for large work. For use from one event loop."""

    def __init__(self, *, large: int | None = None, most_waiting: int = _MOST_WAITING) -> None:
        self._width = large or max(2, os.cpu_count() or 1)
        self._most = self._width + most_waiting
        self._small = ThreadPoolExecutor(1, thread_name_prefix="small-work")
        self._large = ThreadPoolExecutor(self._width, thread_name_prefix="large-work")
        self._counting = threading.Lock()
        self._pending = 0

    async def small(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What work of a moment returns or raises. While nothing large is under way it is done on the event loop, at once:
        a thread would cost more than it gains.
        """
        if self._pending == 0:
            return work(*args, **kwargs)
        return await asyncio.wrap_future(self._small.submit(work, *args, **kwargs))

    async def large(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What work of any size returns or raises.

        Raises:
            ServerBusy: as much as may wait does so already.
        """
        if self._pending >= self._most:
            raise ServerBusy("many large answers are being worked out", headers={"Retry-After": str(_RETRY_AFTER_S)})
        return await asyncio.wrap_future(self._submit(work, *args, **kwargs))

    async def next_of(self, chunks: Iterator[bytes]) -> bytes | None:
        """The next chunk of an answer that has begun, which is refused no more; None at its end."""
        return await asyncio.wrap_future(self._submit(next, chunks, None))

    def close(self) -> None:
        """Drop what waits, and wait for what runs."""
        for threads in (self._small, self._large):
            threads.shutdown(cancel_futures=True)

    def _submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        with self._counting:
            self._pending += 1
        future = self._large.submit(work, *args, **kwargs)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: object) -> None:
        with self._counting:
            self._pending -= 1
