"""One dataset as the API serves it: the current snapshot kept current, and older ones by revision or time.

A refresh runs in any thread; readers take the current snapshot by one attribute read, so they never wait for it and
never see half of it.
"""

import asyncio
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from api.engine.hub.catalog import Catalog
from api.engine.hub.commits import CommitIndex
from api.engine.hub.reader import HubCommit, HubReader
from api.engine.hub.revision_lookup import RevisionLookup
from api.engine.latest import latest_rows
from api.engine.refresh_errors import refresh_error
from api.engine.snapshot import Snapshot
from api.engine.snapshot_loader import SnapshotLoader
from api.http.errors import DatasetNotReady, RevisionUnknown, TooManyRevisions
from api.http.reading import RevisionChoice
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach
from datahub_assets.domain.errors import DataHubError, HubContentInvalid, HubNotFound
from datahub_assets.domain.times import iso_short

_LOG: Final = logging.getLogger(__name__)
_OLDER_SNAPSHOTS: Final = 8
_THREADS: Final = 2
_LOADED_AT_ONCE: Final = 16
_REVISION_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}")
"""What may name a revision on the Hub; about anything else it is not asked."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is known of the Hub at a moment: when its head was last seen (epoch s), and what went wrong since."""

    seen_at_s: float | None = None
    error: DataHubError | None = None


class Dataset:
    """One dataset as the API serves it: its current snapshot, and older ones on demand."""

    def __init__(self, spec: DatasetSpec, *, library: SnapshotLoader, hub: HubReader, catalog: Catalog) -> None:
        self.spec = spec
        self.library = library
        self.freshness = Freshness()
        self.commits = CommitIndex(library.source, library.repo_id, hub=hub, catalog=catalog)
        self._asker = RevisionLookup(self.commits.ask, name=spec.name)
        self._hub = hub
        self._catalog = catalog
        self._refreshing = threading.Lock()
        self._current: Snapshot | None = None
        self._is_retired = False
        self._older: OrderedDict[str, Snapshot] = OrderedDict()
        self._older_lock = threading.Lock()
        self._loading: dict[str, asyncio.Future[Snapshot]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"load-{spec.name}")

    @property
    def repo_id(self) -> str:
        """The repo on the Hub."""
        return self.library.repo_id

    @property
    def current(self) -> Snapshot:
        """The snapshot served now.

        Raises:
            DatasetNotReady: no commit of it was ever seen here.
        """
        if self._current is None:
            raise DatasetNotReady(f"no commit of {self.repo_id} has been read from the Hub yet")
        return self._current

    @property
    def is_ready(self) -> bool:
        """Whether there is a snapshot to serve."""
        return self._current is not None

    def restore(self) -> None:
        """Serve what was served before a restart, if it is still whole; the Hub is not needed for that."""
        head = self._catalog.head(self.library.source)
        if head is None:
            return
        try:
            if self.library.is_here(head):
                self._current = self.library.snapshot(head)
        except (DataHubError, OSError) as error:
            _LOG.warning("%s: the snapshot of %s cannot be restored: %s", self.spec.name, head.sha, error)

    def refresh(self) -> bool:
        """Look at the Hub's head and serve it. Whether what is served changed.

        Raises:
            HubError: the Hub could not be asked, or holds what cannot be served; what was served goes on being served.
            StorageFailed, RefreshFailed: something on this machine is wrong; likewise.
        """
        with self._refreshing:
            try:
                changed = self._refresh()
            except Exception as error:
                trouble = refresh_error(error)
                self.freshness = Freshness(seen_at_s=self.freshness.seen_at_s, error=trouble)
                if trouble is error:
                    raise
                raise trouble from error
            self.freshness = Freshness(seen_at_s=time.time())
            return changed

    def _refresh(self) -> bool:
        sha = self._hub.head(self.repo_id)
        served = self._current
        if served is not None and served.sha == sha:
            if not self.commits.reaches(sha):  # the index fell behind when the Hub went away in the middle
                self.commits.follow(served.commit, self._history(sha)[1])
            self.commits.refresh_refs()  # a push may have been to another branch, or a tag
            return False
        head, history = self._history(sha)
        snapshot = self.library.snapshot(head)
        if served is not None:
            _open_new(snapshot, served)
        snapshot.prepare()
        if isinstance(self.spec.newest, NewestOfEach):  # asked for most, and looked up by the first request otherwise
            latest_rows(snapshot)
        self._current = snapshot
        self._catalog.set_head(self.library.source, head)
        _LOG.info("%s: serving commit %s (%d rows)", self.spec.name, head.sha, snapshot.rows)
        self.commits.follow(head, history)
        self.commits.refresh_refs()
        return True

    def _history(self, sha: str) -> tuple[HubCommit, Iterator[HubCommit]]:
        history = self._hub.commits(self.repo_id, sha)
        head = next(history, None)
        if head is None:
            raise HubContentInvalid(f"the Hub names no commit behind {sha} of {self.repo_id}")
        return head, history

    def find(self, *, revision: str | None = None, as_of_ms: int | None = None) -> HubCommit:
        """The commit of a branch, tag or sha, or the last one made at `as_of_ms` or before, or the current one.

        Raises:
            RevisionUnknown: none is known here.        DatasetNotReady: too little is known yet.
        """
        current = self.current.commit
        if as_of_ms is not None:
            found = current if current.at_ms <= as_of_ms else self.commits.of_time(as_of_ms)
            what = f"commit at or before that time{'' if found else self._kept_before(as_of_ms)}"
        elif revision is None or revision in {"main", current.sha}:
            return current
        else:
            found = self.commits.of_revision(self.plain(revision))
            what = f"revision {revision!r}: give a branch, a tag or a 40-hex commit sha"
        if found is not None:
            return found
        if not self.commits.reaches(current.sha):
            raise DatasetNotReady(f"the index of {self.spec.name}'s commits is still being made")
        raise RevisionUnknown(f"{self.spec.name} has no {what}; see /api/hub/revisions")

    def _kept_before(self, at_ms: int) -> str:
        """Names the state that a tag keeps of a time before the history begins; it need not be what held then."""
        kept = self.commits.kept_before(at_ms)
        if kept is None:
            return ""
        name, commit = kept
        return f" any more; of before it keeps revision={name}, the state of {iso_short(commit.at_ms)}"

    async def commit(self, choice: RevisionChoice) -> HubCommit:
        """The commit a caller means. One that `find` does not know may be a new tag, so the Hub is asked about it.

        Raises:
            RevisionUnknown, DatasetNotReady: as `find`.        HubError: the Hub could not be asked.
            DatasetNotReady: also when too many revisions are being asked about.
        """
        try:
            return self.find(revision=choice.revision, as_of_ms=choice.as_of_ms)
        except RevisionUnknown:
            if choice.revision is None or not _REVISION_FORM.fullmatch(choice.revision):
                raise
            found = await self._asker.ask(self.plain(choice.revision))
            if found is None:
                raise
            return found

    def plain(self, revision: str) -> str:
        """A revision of this dataset without its name: `ohlc@<sha>` means `<sha>`."""
        return revision.removeprefix(f"{self.spec.name}@")

    def held(self, commit: HubCommit) -> Snapshot | None:
        """The snapshot of a commit if it is in memory."""
        if self._current is not None and self._current.sha == commit.sha:
            return self._current
        with self._older_lock:
            held = self._older.get(commit.sha)
            if held is not None:
                self._older.move_to_end(commit.sha)
            return held

    async def at(self, commit: HubCommit) -> Snapshot:
        """The snapshot of a commit; what is not here is fetched from the Hub, once for all who wait for it.

        Raises:
            HubError: it could not be fetched.        RevisionUnknown: the Hub does not hold it any more.
            TooManyRevisions: as many others are being fetched as may be.
        """
        held = self.held(commit)
        if held is not None:
            return held
        loading = self._loading.get(commit.sha)
        if loading is None:
            if len(self._loading) >= _LOADED_AT_ONCE:
                raise TooManyRevisions(
                    "many older commits are being fetched from the Hub", headers={"Retry-After": "5"}
                )
            loading = asyncio.get_running_loop().run_in_executor(self._threads, self._load, commit)
            self._loading[commit.sha] = loading
            loading.add_done_callback(lambda _: self._loading.pop(commit.sha))
        return await asyncio.shield(loading)

    def retire(self) -> None:
        """Another account's dataset is served instead: answers that were given of this one no longer hold."""
        self._is_retired = True

    def serves(self, sha: str, *, as_newest: bool) -> bool:
        """Whether that commit is served still: as the newest one, or as one that callers name."""
        current = self._current
        return not self._is_retired and (not as_newest or (current is not None and current.sha == sha))

    def close(self) -> None:
        """Wait for what is being fetched, and end."""
        self._asker.close()
        self._threads.shutdown(cancel_futures=True)

    def _load(self, commit: HubCommit) -> Snapshot:
        try:
            snapshot = self.library.snapshot(commit)
        except HubNotFound as error:
            raise RevisionUnknown(f"the Hub does not hold {commit.sha} of {self.repo_id} any more") from error
        with self._older_lock:
            self._older[commit.sha] = snapshot
            while len(self._older) > _OLDER_SNAPSHOTS:
                self._older.popitem(last=False)
        return snapshot


def _open_new(snapshot: Snapshot, served: Snapshot) -> None:
    """Map the rows of files that were not served yet, so that no request has to."""
    known = set(served.data)
    for file in snapshot.data:
        if file not in known:
            file.open()
