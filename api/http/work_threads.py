"""Threads in which answers are worked out, apart from the event loop: small work does not wait behind large work.

Libraries share one pool of native threads within the process, so while large work is under way, small work that would
only take a moment waits for it too. That wait must not be the event loop's, which all others share.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from litestar.types import Receive

from api.http.disconnects import while_connected
from api.http.errors import ServerBusy

_MOST_WAITING: Final = 64
"""Large answers that may wait for a thread; each takes a good part of a second."""
_RETRY_AFTER_S: Final = 5
P = ParamSpec("P")
T = TypeVar("T")


class WorkThreads:
    """A thread for small work and a few for large work. For use from one event loop."""

    def __init__(self, *, large: int | None = None, most_waiting: int = _MOST_WAITING) -> None:
        self._free = large or max(2, os.cpu_count() or 1)
        self._width = self._free
        self._most_waiting = most_waiting
        self._small = ThreadPoolExecutor(1, thread_name_prefix="small-work")
        self._large = ThreadPoolExecutor(self._width, thread_name_prefix="large-work")
        self._begun: deque[asyncio.Future[None]] = deque()
        self._new: deque[asyncio.Future[None]] = deque()
        self._lines = [self._begun, self._new]
        self.idle = True
        """Whether nothing large is under way. Then small work is best done on the event loop: a thread would cost more
        than it gains."""

    async def small(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What work of a moment returns or raises; done at once on the event loop while `idle`."""
        if self.idle:
            return work(*args, **kwargs)
        return await asyncio.wrap_future(self._small.submit(work, *args, **kwargs))

    async def large(self, receive: Receive, work: Callable[[], T]) -> T:
        """What work of any size returns or raises; when the caller goes, it ends where it next asks `stop_if_left`.

        Raises:
            ServerBusy: as much as may wait does so already.        ClientDisconnected: the caller went first.
        """
        return await while_connected(receive, work, run=self._begin)

    async def next_of(self, chunks: Iterator[bytes]) -> bytes | None:
        """The next chunk of an answer, None at its end.

        What has begun is refused no more, and waits in a line of its own: a long answer would otherwise wait behind all
        others for each of its chunks.
        """
        return await self._in_turn(self._begun, next, chunks, None)

    def close(self) -> None:
        """Drop what waits, and wait for what runs."""
        for threads in (self._small, self._large):
            threads.shutdown(cancel_futures=True)

    async def _begin(self, work: Callable[[], T]) -> T:
        if len(self._new) >= self._most_waiting:
            raise ServerBusy("many large answers are being worked out", headers={"Retry-After": str(_RETRY_AFTER_S)})
        return await self._in_turn(self._new, work)

    async def _in_turn(
        self, line: "deque[asyncio.Future[None]]", work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Have it done once one of the threads is free; a thread is taken until it ends, whoever still waits for it."""
        loop = asyncio.get_running_loop()
        await self._taken(line)
        running = self._large.submit(work, *args, **kwargs)
        running.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        return await asyncio.wrap_future(running)

    async def _taken(self, line: "deque[asyncio.Future[None]]") -> None:
        if self._free:
            self._free -= 1
            self.idle = False
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was its turn already
                self._release()
            elif turn in line:
                line.remove(turn)
            raise

    def _release(self) -> None:
        self._lines.reverse()  # in turn, so that neither waits for the other to be empty
        for line in self._lines:
            while line:
                turn = line.popleft()
                if not turn.done():  # else whoever waited has gone a moment ago
                    turn.set_result(None)
                    return
        self._free += 1
        self.idle = self._free == self._width
