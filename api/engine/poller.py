"""Keeps the datasets current: looks at the Hub every few seconds, and at once when it is told of a commit.

No error stops it: each is logged, shown in the dataset's freshness, and the next look is tried.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.engine.engine import Engine
from datahub_assets.domain.errors import HubError, HubNotFound, HubRateLimited, HubUnavailable

_LOG: Final = logging.getLogger(__name__)
_TIDY_EVERY_S: Final = 10.0
_LONGEST_WAIT_S: Final = 60.0
_ABSENT_WAITS: Final = 10
"""A repo that does not exist yet is looked for less and less often, until this many polls apart."""
_LOOK_AGAIN_S: Final = (0.25, 0.5, 1.0, 2.0)
"""What huggingface.co says of its head may lag behind its webhook; so long it is asked again."""


class Poller:
    """One task and one thread per dataset, so that a slow repo does not hold up another, and one that tidies up."""

    def __init__(self, engine: Engine, *, poll_s: float, changed: Callable[[str], None] = lambda _: None) -> None:
        self._engine = engine
        self._poll_s = poll_s
        self._changed = changed
        self._wake = {name: asyncio.Event() for name in engine.specs}
        self._untidy = asyncio.Event()
        self._said: dict[str, str] = {}
        self._served: dict[str, str | None] = {}
        self._threads = ThreadPoolExecutor(len(engine.specs) + 1, thread_name_prefix="refresh")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, on the running loop."""
        self._served = {name: self._sha(name) for name in self._engine.specs}
        self._tasks = [asyncio.create_task(self._follow(name)) for name in self._engine.specs]
        self._tasks.append(asyncio.create_task(self._tidy()))

    async def stop(self) -> None:
        """End; what runs in a thread is waited for."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown()

    def wake(self, name: str) -> None:
        """Look at a dataset's head now, as it has a new commit."""
        self._wake[name].set()

    async def _follow(self, name: str) -> None:
        wait_s = self._poll_s
        pauses: Iterator[float] = iter(())
        while True:
            self._wake[name].clear()
            changed, wait_s = await self._look(name, after_s=wait_s)
            if changed or wait_s != self._poll_s:
                pauses = iter(())
            if await self._woken(name, within_s=next(pauses, wait_s)):
                pauses = iter(_LOOK_AGAIN_S)

    async def _woken(self, name: str, *, within_s: float) -> bool:
        """Wait for word of a commit; whether it came in this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._wake[name].wait()
        return False

    async def _look(self, name: str, *, after_s: float) -> tuple[bool, float]:
        """Whether a new commit is served now, and seconds to wait; longer each time while the Hub does not answer."""
        began_s = time.perf_counter()
        wait_s = self._poll_s
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.refresh, name)
        except Exception as error:  # noqa: BLE001 - a supervised boundary: nothing may end the looking
            self._complain(name, error)
            wait_s = self._pause_s(error, after_s=after_s)
        else:
            self._said.pop(name, None)
        sha = self._sha(name)
        changed = sha != self._served[name]  # also when something went wrong after the commit was taken in
        if changed:
            self._served[name] = sha
            _LOG.info("%s: refreshed in %.2f s", name, time.perf_counter() - began_s)
            self._untidy.set()
            self._changed(name)
        return changed, wait_s

    def _sha(self, name: str) -> str | None:
        """The commit that is served."""
        dataset = self._engine.datasets.get(name)
        return dataset.current.sha if dataset is not None and dataset.is_ready else None

    def _complain(self, what: str, error: Exception) -> None:
        """Log what went wrong, loudly only when it is news; with its traceback, unless the Hub is to blame."""
        text = f"{type(error).__name__}: {error}"
        level = logging.DEBUG if self._said.get(what) == text else logging.WARNING
        self._said[what] = text
        if isinstance(error, HubNotFound) and self._sha(what) is None:
            _LOG.log(min(level, logging.INFO), "%s: it is not on the Hub yet: %s", what, error)
        elif isinstance(error, HubError):
            _LOG.log(level, "%s: the Hub could not be read: %s", what, error)
        else:
            _LOG.log(level, "%s failed: %s", what, text, exc_info=error)

    def _pause_s(self, error: Exception, *, after_s: float) -> float:
        if isinstance(error, HubRateLimited) and error.retry_after_s is not None:
            return max(error.retry_after_s, self._poll_s)
        if isinstance(error, HubNotFound):
            return min(after_s * 2, self._poll_s * _ABSENT_WAITS)
        if isinstance(error, HubUnavailable | HubRateLimited):
            return min(after_s * 2, max(_LONGEST_WAIT_S, self._poll_s))
        return self._poll_s

    async def _tidy(self) -> None:
        """After something changed: map rows so that queries need not, and from time to time give back disk."""
        loop = asyncio.get_running_loop()
        while True:
            await self._untidy.wait()
            self._untidy.clear()
            try:
                await loop.run_in_executor(self._threads, self._engine.warm)
                await loop.run_in_executor(self._threads, self._engine.prune)
            except Exception as error:  # noqa: BLE001 - a supervised boundary, as above
                self._complain("tidying up", error)
            else:
                self._said.pop("tidying up", None)
            await asyncio.sleep(_TIDY_EVERY_S)
