"""A budget of events per minute, refilled steadily."""

import time
from collections.abc import Callable


class Budget:
    """At most `per_minute` at once, and as many a minute. For use from one thread at a time."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._left = self._capacity
        self._clock = clock
        self._at_s = clock()

    def take(self) -> bool:
        """Use one; False when none is left."""
        now_s = self._clock()
        self._left = min(self._capacity, self._left + (now_s - self._at_s) * self._capacity / 60)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
