"""When to ask again: attempts, jittered waits, and the wait an upstream asks for."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from datahub_assets.domain.errors import SourceBlocked, SourceError, SourceRateLimited, Terminal

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often to try and how long to pause in between. `sleep` and `chance` (a number in [0, 1)) are for tests.

    A pause the upstream asks for is waited when it is at most `longest_wait_s`; for a longer one the error is raised at
    once, so that the run ends and a later one asks again: a ban must not be poked.
    """

    attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    sleep: Sleep = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def run(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do it, again after a pause when it failed and trying again may help.

        Raises:
            SourceError: the last failure.
        """
        for attempt in range(1, self.attempts):
            try:
                return await action()
            except SourceError as error:
                wait_s = self.wait_s(error, attempt=attempt)
                if wait_s is None:
                    raise
            await self.sleep(wait_s)
        return await action()

    def wait_s(self, error: SourceError, *, attempt: int) -> float | None:
        """Seconds to wait after this failure of the attempt (1 is the first); None: do not try again now."""
        if isinstance(error, Terminal | SourceBlocked):
            return None
        jittered_s = self.first_wait_s * 2.0 ** (attempt - 1) * (0.5 + self.chance())
        if isinstance(error, SourceRateLimited) and error.retry_after_s is not None:
            asked_s = error.retry_after_s + min(1.0, jittered_s)
            return asked_s if error.retry_after_s <= self.longest_wait_s else None
        return jittered_s
