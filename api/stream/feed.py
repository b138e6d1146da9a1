"""Follows the commits the engine serves, and hands the changes of each to its subscribers.

A change is computed once for all subscribers. Each has a bounded queue; one that falls behind is disconnected.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

from api.caching.response_cache import Recent
from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.hub.reader import HubCommit
from api.engine.snapshot import Snapshot
from api.http.errors import TooManyStreams
from api.stream.changes import CommitChange, Interest, change_between
from datahub_assets.domain.errors import DataHubError

_LOG: Final = logging.getLogger(__name__)
MOST_LISTENERS: Final = 256
MOST_OF_ONE: Final = 32
"""Streams one account may have at once, so that it cannot take all there are."""
QUEUED: Final = 64
"""Changes that may wait for a listener; at a commit a minute and dataset that is half an hour."""
_REPLAYED: Final = 60
"""Commits a listener may have missed and still be told of one by one; more are told of as one change."""
_REMEMBERED_ROWS: Final = 200_000
_LEAST_ROWS: Final = 200
"""What a change counts for at least, as it takes some room of its own."""
_TRY_AGAIN_S: Final = 2.0


@dataclass(eq=False)
class Subscriber:
    """One who follows: what is of interest, and what waits to be sent; None in the queue ends it."""

    interest: Interest
    queue: "asyncio.Queue[CommitChange | None]" = field(default_factory=lambda: asyncio.Queue(QUEUED))


class Feed:
    """The changes of all datasets, as they come. For use from one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: set[Subscriber] = set()
        self._places: Counter[str] = Counter()
        self._announced: dict[str, Snapshot] = {}
        self._told: dict[str, str] = {}
        self._known: Recent[tuple[str, str, str], CommitChange] = Recent(_REMEMBERED_ROWS)
        self._failing: set[str] = set()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._arrived.set()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop, and disconnect all subscribers."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.end()

    def end(self) -> None:
        """Let all listeners go, as the server stops."""
        for listener in list(self._listeners):
            self._drop(listener)

    def changed(self, _: str) -> None:
        """Say that a dataset has a new commit."""
        self._arrived.set()

    @property
    def state(self) -> dict[str, str]:
        """The commit of each dataset that listeners were told of last."""
        return dict(self._told)

    @contextlib.contextmanager
    def place(self, account: str) -> Iterator[None]:
        """A place among those who follow, taken by an account as long as the context lasts.

        Raises:
            TooManyStreams: there is none left, or none for this account.
        """
        if self._places[account] >= MOST_OF_ONE:
            raise TooManyStreams(
                f"{account} has {MOST_OF_ONE} streams open already; close one, or follow more with one"
            )
        if self._places.total() >= MOST_LISTENERS:
            raise TooManyStreams(f"{MOST_LISTENERS} clients follow this server already; try again later")
        self._places[account] += 1
        try:
            yield
        finally:
            self._places[account] -= 1
            if not self._places[account]:
                del self._places[account]

    @contextlib.contextmanager
    def listening(self, interest: Interest) -> Iterator[Subscriber]:
        """A listener that gets all changes after `state`, as long as the context lasts."""
        listener = Subscriber(interest)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def missed(self, name: str, since: str, until: str) -> AsyncIterator[CommitChange]:
        """What changed in a dataset from one commit to another, commit by commit unless there are too many.

        Raises:
            RevisionUnknown, HubError: it cannot be told.
        """
        dataset = self._engine.dataset(name)
        earlier, later = dataset.find(revision=since), dataset.find(revision=until)
        steps = self._between(dataset, earlier, later)
        for one, two in zip([earlier, *steps[:-1]], steps, strict=True):
            yield await self._change(dataset, one, two)

    def forget_unused(self, *, for_s: float) -> None:
        """Drop changes nobody was told of for so long; who asks for one again has it computed again."""
        self._known.forget_unused(for_s=for_s)

    async def text(self, change: CommitChange, interest: Interest) -> bytes | None:
        """A change as JSON, as `CommitChange.text`; made once, in a thread, for all who ask for the same meanwhile."""
        writing = change.written.get(interest)
        if writing is None:
            writing = change.written[interest] = asyncio.create_task(asyncio.to_thread(change.text, interest))
            writing.add_done_callback(lambda _: change.written.pop(interest))
        return await asyncio.shield(writing)

    async def _follow(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            for name, dataset in list(self._engine.datasets.items()):
                if dataset.is_ready:
                    await self._attend(name, dataset)

    async def _attend(self, name: str, dataset: Dataset) -> None:
        """Announce a dataset's commits; when that fails, whatever the reason, log it once and try again soon."""
        try:
            await self._announce(name, dataset)
        except Exception as error:  # noqa: BLE001 - a supervised boundary: the task lives as long as the server
            level = logging.DEBUG if name in self._failing else logging.ERROR
            self._failing.add(name)
            _LOG.log(level, "%s: what changed cannot be told yet", name, exc_info=error)
            asyncio.get_running_loop().call_later(_TRY_AGAIN_S, self._arrived.set)
        else:
            self._failing.discard(name)

    async def _announce(self, name: str, dataset: Dataset) -> None:
        told, current = self._announced.get(name), dataset.current
        if told is not None and self._told[name] != current.sha and self._listeners:
            try:
                async for change in self.missed(name, self._told[name], current.sha):
                    self._publish(change)
            except DataHubError as error:
                _LOG.warning("%s: what changed up to %s is told at once: %s", name, current.sha, error)
                self._publish(await asyncio.to_thread(change_between, told, current))
        self._announced[name] = current
        self._told[name] = current.sha

    def _publish(self, change: CommitChange) -> None:
        self._told[change.spec.name] = change.later.sha
        for listener in list(self._listeners):
            if change.spec.name not in listener.interest.datasets:
                continue
            if listener.queue.full():
                _LOG.info("a client that follows %s reads too slowly and is disconnected", change.spec.name)
                self._drop(listener)
            else:
                listener.queue.put_nowait(change)

    def _drop(self, listener: Subscriber) -> None:
        """End a listener, whatever waits for it."""
        self._listeners.discard(listener)
        with contextlib.suppress(asyncio.QueueEmpty):
            while True:
                listener.queue.get_nowait()
        listener.queue.put_nowait(None)

    def _between(self, dataset: Dataset, earlier: HubCommit, later: HubCommit) -> list[HubCommit]:
        """Commits after `earlier` up to `later`, oldest first; `later` alone if they are many or not known."""
        if earlier.sha == later.sha:
            return []
        source = dataset.library.source
        newer = [later, *self._engine.catalog.commits(source, limit=_REPLAYED, before=later.sha)]
        shas = [commit.sha for commit in newer]
        if earlier.sha not in shas:
            return [later]
        return newer[: shas.index(earlier.sha)][::-1]

    async def _change(self, dataset: Dataset, earlier: HubCommit, later: HubCommit) -> CommitChange:
        key = (dataset.spec.name, earlier.sha, later.sha)
        known = self._known.get(key)
        if known is not None:
            return known
        one, two = await self._snapshot(dataset, earlier), await self._snapshot(dataset, later)
        change = await asyncio.to_thread(change_between, one, two)
        self._known.put(key, change, weight=max(change.rows, _LEAST_ROWS))
        return change

    async def _snapshot(self, dataset: Dataset, commit: HubCommit) -> Snapshot:
        """The snapshot of a commit; the last one announced is in memory."""
        told = self._announced.get(dataset.spec.name)
        return told if told is not None and told.sha == commit.sha else await dataset.at(commit)
