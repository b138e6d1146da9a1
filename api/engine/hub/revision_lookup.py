"""Asks the Hub for revisions that are not in the index, bounded in number and time, so that a slow Hub delays no other
request.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.engine.hub.reader import HubCommit
from api.http.errors import DatasetNotReady
from datahub_assets.domain.errors import HubUnavailable

_AT_ONCE: Final = 4
_PATIENCE_S: Final = 3.0
_UNKNOWN_FOR_S: Final = 5.0
_UNKNOWN_KEPT: Final = 1000


class RevisionLookup:
    """Has threads of its own, never a queue, and remembers for seconds what the Hub did not know.

    For use from one event loop.
    """

    def __init__(self, ask: Callable[[str], HubCommit | None], *, name: str) -> None:
        self._ask = ask
        self._asked: dict[str, asyncio.Future[HubCommit | None]] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"ask-{name}")

    async def ask(self, revision: str) -> HubCommit | None:
        """The commit of a revision; None when there is none. Asked once for all who wait for it.

        Raises:
            DatasetNotReady: as many others are being asked about as may be.
            HubError: the Hub could not be asked, or did not answer in time.
        """
        if self._unknown.get(revision, 0.0) > time.monotonic():
            return None
        asked = self._asked.get(revision)
        if asked is None:
            if len(self._asked) >= _AT_ONCE:
                raise DatasetNotReady(
                    "whether there is such a revision is not known yet: the Hub is asked about others"
                )
            asked = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, revision)
            self._asked[revision] = asked
            asked.add_done_callback(lambda done: self._note(revision, done))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.shield(asked)
        except TimeoutError as error:
            raise HubUnavailable(f"the Hub did not say within {_PATIENCE_S:.0f} s which commit was meant") from error

    def close(self) -> None:
        """Wait for what is being asked, and end."""
        self._threads.shutdown(cancel_futures=True)

    def _note(self, revision: str, done: "asyncio.Future[HubCommit | None]") -> None:
        del self._asked[revision]
        if done.cancelled() or done.exception() is not None or done.result() is not None:
            return
        self._unknown[revision] = time.monotonic() + _UNKNOWN_FOR_S
        self._unknown.move_to_end(revision)
        while len(self._unknown) > _UNKNOWN_KEPT:
            self._unknown.popitem(last=False)
