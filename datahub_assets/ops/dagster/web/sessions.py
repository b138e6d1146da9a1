"""Who is logged in, and who failed to log in; in memory, so that a restart logs everybody out."""

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

SESSION_S: Final = 12 * 3600
_MOST_SESSIONS: Final = 1000
_MOST_ADDRESSES: Final = 10_000

Clock = Callable[[], float]
"""Seconds that only grow."""


class Sessions:
    """Sessions by the hash of their id; the oldest goes when there are too many.

    Args:
        clock: seconds that only grow.    lifetime_s: seconds from login to the next.    most: sessions at once.
    """

    def __init__(self, clock: Clock, *, lifetime_s: float = SESSION_S, most: int = _MOST_SESSIONS) -> None:
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._most = most
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def begin(self) -> str:
        """The id of a new session."""
        session = secrets.token_urlsafe(32)
        self._ends[_hash(session)] = self._clock() + self._lifetime_s
        if len(self._ends) > self._most:
            self._ends.popitem(last=False)
        return session

    def knows(self, session: str) -> bool:
        """Whether this is the id of a session that has not ended."""
        key = _hash(session)
        end = self._ends.get(key)
        if end is None or self._clock() < end:
            return end is not None
        del self._ends[key]
        return False

    def end(self, session: str) -> None:
        """End it."""
        self._ends.pop(_hash(session), None)


class FailedLogins:
    """How often an address gave a wrong token.

    Args:
        most: wrong tries within `window_s` seconds after which an address has to wait.
    """

    def __init__(self, clock: Clock, *, most: int = 10, window_s: float = 300.0) -> None:
        self._clock = clock
        self._most = most
        self._window_s = window_s
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        times = self._times.get(address)
        if times is None or len(times) < self._most:
            return 0.0
        return max(0.0, times[0] + self._window_s - self._clock())

    def add(self, address: str) -> None:
        """A wrong token came from this address."""
        times = self._times.setdefault(address, deque(maxlen=self._most))
        times.append(self._clock())
        self._times.move_to_end(address)
        if len(self._times) > _MOST_ADDRESSES:
            self._times.popitem(last=False)


def _hash(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()
