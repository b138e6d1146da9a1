"""Counts requests per token in windows of a minute."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_WINDOW_S: Final = 60.0
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window: `remaining` requests for `reset_s` seconds; `granted`: whether this one may pass."""

    limit: int
    remaining: int
    reset_s: int
    granted: bool

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The `RateLimit-*` header fields."""
        return [
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % self.reset_s),
        ]


class RateLimiter:
    """At most `per_minute` requests per key and minute; 0 switches it off. For use from one thread."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._windows: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def take(self, key: bytes) -> Allowance | None:
        """Count a request; None when there is no limit. A request that is not granted is not counted."""
        if not self._limit:
            return None
        now_s = self._clock()
        began_s, used = self._windows.get(key, (now_s, 0))
        if now_s - began_s >= _WINDOW_S:
            began_s, used = now_s, 0
        granted = used < self._limit
        self._windows[key] = (began_s, used + granted)
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
        reset_s = math.ceil(began_s + _WINDOW_S - now_s)
        return Allowance(self._limit, self._limit - used - granted, reset_s, granted)
