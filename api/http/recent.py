"""Values that were used lately, bounded in weight; the ones not used for longest go first."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Used(Generic[V]):
    value: V
    weight: int
    used_s: float


class Recent(Generic[K, V]):
    """Values by key. For use from one thread at a time.

    Args:
        most: what all values may weigh together.        clock: seconds.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[K, _Used[V]] = OrderedDict()
        self.weight = 0
        """What all of them weigh."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, which is used by that; None when it is not here (any more)."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        entry.used_s = self._clock()
        return entry.value

    def put(self, key: K, value: V, *, weight: int) -> None:
        """Keep a value, and drop others until there is room for it."""
        previous = self._entries.pop(key, None)
        self.weight += weight - (0 if previous is None else previous.weight)
        self._entries[key] = _Used(value, weight, self._clock())
        while self.weight > self._most:
            self._drop_oldest()

    def forget_unused(self, *, for_s: float) -> None:
        """Drop values that were not used for so long."""
        now_s = self._clock()
        while self._entries and now_s - next(iter(self._entries.values())).used_s >= for_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.weight -= self._entries.popitem(last=False)[1].weight
