"""Answers that never change for their key, kept up to a number of bytes; each is made once for all who ask."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Values by key, at most `max_bytes` of them as `size_of` counts; the one not asked for longest goes first.

    Safe to use from many threads. A value larger than `max_bytes` is handed out and not kept.
    """

    def __init__(self, max_bytes: int, *, size_of: Callable[[V], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._bytes = 0
        self._being_made: dict[K, Future[V]] = {}
        self._lock = Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of `key`, made by the first caller while the others wait; what `make` raises, all of them get."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            future = self._being_made.get(key)
            mine = future is None
            if future is None:
                future = self._being_made[key] = Future()
        if mine:
            self._make(key, make, future)
        return future.result()

    def _make(self, key: K, make: Callable[[], V], future: Future[V]) -> None:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._being_made[key]
            future.set_exception(error)
            raise
        with self._lock:
            self._keep(key, value)
            del self._being_made[key]
        future.set_result(value)

    def _keep(self, key: K, value: V) -> None:
        size = self._size_of(value)
        if size > self._max_bytes:
            return
        self._kept[key] = value
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= self._size_of(dropped)
