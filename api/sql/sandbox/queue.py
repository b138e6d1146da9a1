"""Who gets the next free worker: first come, first served, and no caller may keep all workers from others.

A caller may hold `width` workers. One more stands by for a caller who runs nothing while others hold those.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Worker = TypeVar("Worker")


class QueueFull(Exception):
    """Too many statements wait already, all in all or of this caller."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Worker]):
    caller: str
    choose: Callable[[list[Worker]], Worker]
    turn: "asyncio.Future[Worker]"


class WorkerQueue(Generic[Worker]):
    """Free workers and those who wait for one. For use on one event loop."""

    def __init__(self, *, width: int, max_waiting: int, max_waiting_per_caller: int) -> None:
        self._width = width
        self._max_waiting = max_waiting
        self._max_waiting_per_caller = max_waiting_per_caller
        self._free: list[Worker] = []
        self._held: Counter[str] = Counter()
        self._waiting: deque[_Waiting[Worker]] = deque()

    @property
    def running(self) -> int:
        """Statements that hold a worker."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """Statements that wait for one."""
        return len(self._waiting)

    @property
    def free(self) -> list[Worker]:
        """Workers nobody holds."""
        return list(self._free)

    async def acquire(self, caller: str, choose: Callable[[list[Worker]], Worker]) -> Worker:
        """Wait for a worker; `choose` picks one out of those that are free. Give it back with `release`.

        Raises:
            QueueFull: too many wait already.
        """
        if len(self._waiting) >= self._max_waiting or self._waits_of(caller) >= self._max_waiting_per_caller:
            raise QueueFull
        entry: _Waiting[Worker] = _Waiting(caller, choose, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._hand_out()
        try:
            return await entry.turn
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not entry.turn.cancelled():
                self.release(caller, entry.turn.result())
            raise

    def release(self, caller: str, worker: Worker | None) -> None:
        """Give a worker back; None when it is gone."""
        self._held[caller] -= 1
        if self._held[caller] <= 0:
            del self._held[caller]
        if worker is None:
            self._hand_out()
        else:
            self.add(worker)

    def add(self, worker: Worker) -> None:
        """A worker is ready."""
        self._free.append(worker)
        self._hand_out()

    def abandon(self, error: Exception) -> None:
        """Fail all waiting requests."""
        while self._waiting:
            entry = self._waiting.popleft()
            if not entry.turn.done():
                entry.turn.set_exception(error)

    def _waits_of(self, caller: str) -> int:
        return sum(entry.caller == caller for entry in self._waiting)

    def _hand_out(self) -> None:
        while self._free:
            entry = self._next()
            if entry is None:
                return
            self._waiting.remove(entry)
            worker: Worker = entry.choose(self._free)
            self._free.remove(worker)
            self._held[entry.caller] += 1
            entry.turn.set_result(worker)

    def _next(self) -> _Waiting[Worker] | None:
        """The caller that holds fewest workers comes first, then the oldest; the spare is for who holds none."""
        waiting = [entry for entry in self._waiting if not entry.turn.done()]
        if not waiting:
            return None
        first = min(waiting, key=lambda entry: self._held[entry.caller])
        if self.running < self._width or (self.running == self._width and self._held[first.caller] == 0):
            return first
        return None
