"""Keeps the datasets current: looks at the Hub every few seconds, and at once when it is woken.

It never stops on an error.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from api.engine.engine import Engine
from datahub_assets.domain.errors import DataHubError, HubRateLimited

_LOG: Final = logging.getLogger(__name__)
_TIDY_EVERY_S: Final = 10.0
_LONGEST_WAIT_S: Final = 60.0


class Poller:
    """One task per dataset, so that a slow repo does not hold up another, and one that tidies up."""

    def __init__(self, engine: Engine, *, poll_s: float, changed: Callable[[str], None] = lambda _: None) -> None:
        self._engine = engine
        self._poll_s = poll_s
        self._changed = changed
        self._wake = {name: asyncio.Event() for name in engine.specs}
        self._untidy = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop."""
        self._tasks = [asyncio.create_task(self._follow(name)) for name in self._engine.specs]
        self._tasks.append(asyncio.create_task(self._tidy()))

    async def stop(self) -> None:
        """End; what runs in a thread is waited for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, name: str) -> None:
        """Look at a dataset's head now."""
        self._wake[name].set()

    async def _follow(self, name: str) -> None:
        wait_s = self._poll_s
        while True:
            began_s = time.perf_counter()
            self._wake[name].clear()
            try:
                if await asyncio.to_thread(self._engine.refresh, name):
                    _LOG.info("%s: refreshed in %.2f s", name, time.perf_counter() - began_s)
                    self._untidy.set()
                    self._changed(name)
                wait_s = self._poll_s
            except DataHubError as error:
                _LOG.warning("%s: the Hub could not be read: %s", name, error)
                named_s = error.retry_after_s if isinstance(error, HubRateLimited) else None
                wait_s = min(max(named_s or wait_s * 2, self._poll_s), _LONGEST_WAIT_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake[name].wait(), timeout=wait_s)

    async def _tidy(self) -> None:
        """After something changed: map rows so that queries need not, and from time to time give back disk."""
        while True:
            await self._untidy.wait()
            self._untidy.clear()
            try:
                await asyncio.to_thread(self._engine.warm)
                await asyncio.to_thread(self._engine.prune)
            except (DataHubError, OSError) as error:
                _LOG.warning("tidying up failed: %s", error)
            await asyncio.sleep(_TIDY_EVERY_S)
