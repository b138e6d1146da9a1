"""Publishing: what waits in the cache becomes one commit on the Hub, whatever the Hub does meanwhile.

Reads the outbox, merges into the head, commits on top of exactly that head, and marks exactly what was read. Every
failure leaves the rows waiting, and doing it again converges, since merging what is there already changes nothing.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from datahub_assets.datasets.ledgers import corrected_values, parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import (
    HubBusy,
    HubConflict,
    HubContentInvalid,
    HubError,
    HubNotFound,
    HubRateLimited,
    HubUnavailable,
)
from datahub_assets.domain.partitions import sealed_paths
from datahub_assets.domain.times import readable
from datahub_assets.stores.cache import repo_state
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import commit_budget, losses, moved_keys
from datahub_assets.stores.publish.commit_budget import CommitLimits
from datahub_assets.stores.publish.draft import Draft, Waiting, compose, is_kept, rolls
from datahub_assets.stores.publish.head import counted_until, look

ATTEMPTS: Final = 5
UNAVAILABLE_ATTEMPTS: Final = 2
PROMPT_S: Final = 5.0
"""A Hub that took longer than this to fail is asked again by the next tick: that one fetches first, and this run would
keep it from that."""
MOST_ROWS: Final = 500_000
"""Rows in one commit, which bounds the memory it takes; more, as after days without a Hub, go in the next ones."""
MOST_FILES: Final = 80
"""Sealed files in one commit; the Hub advises 50 to 100. A first fill of decades takes several commits."""
FIRST_PAUSE_S: Final = 0.2
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """How a publish ended.

    Attributes:
        commit: the commit that carries the rows, None when none was made.        url: where to look at it.
        rows: rows new or changed by it.        size: bytes of the files written.
        reason: why there was no commit, None when there was one.
    """

    commit: str | None = None
    url: str | None = None
    rows: int = 0
    size: int = 0
    reason: str | None = None

    def told(self, spec: DatasetSpec) -> str:
        """A line for the log."""
        if self.reason is not None:
            return f"published nothing of {spec.name}: {self.reason}"
        return f"published {self.rows:,} rows of {spec.name} ({self.size:,} bytes) in commit {self.commit}"


def publish(
    spec: DatasetSpec,
    *,
    cache: Cache,
    hub: Hub,
    limits: CommitLimits,
    now_ms: int,
    log: logging.Logger = _LOG,
    sleep: Callable[[float], None] = time.sleep,
) -> Published:
    """Bring everything that waits to the Hub in one commit, if the budget allows it and there is anything.

    Raises:
        HubRateLimited: the Hub asks for a pause; the budget has shrunk.
        HubError: it could not be done; the rows go on waiting.
    """
    base = repo_state.load(cache.database, spec)
    if base is not None and base.repo != hub.repo_url(spec):
        log.warning("%s moves from %s to %s: everything the cache holds goes there", spec.name, base.repo, hub.endpoint)
        cache.start_over(spec)
        base = None
    waiting = {part.name: cache.waiting(part) for part in parts_of(spec)}
    if not any(waiting.values()) and (base is None or not rolls(spec, base, now_ms=now_ms)):
        return Published(reason="nothing changed since the last commit")
    wait = commit_budget.wait(cache.database, spec, limits=limits, now_ms=now_ms)
    if wait.ms:
        rows = f"{waiting[spec.name]:,}"
        return Published(reason=f"{wait.cause} allows the next commit in {wait.ms / 1000:.0f} s; {rows} rows wait")
    attempt = _Attempt(spec=spec, cache=cache, hub=hub, now_ms=now_ms, log=log, sleep=sleep)
    try:
        published = attempt.run(base)
    except HubRateLimited as error:
        commit_budget.refused(cache.database, retry_after_s=error.retry_after_s, now_ms=now_ms)
        raise
    log.info("%s", published.told(spec))
    return published


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One publish with its retries."""

    spec: DatasetSpec
    cache: Cache
    hub: Hub
    now_ms: int
    log: logging.Logger
    sleep: Callable[[float], None]
    began: float = field(default_factory=time.monotonic)

    def run(self, base: RepoState | None) -> Published:
        """Try until it is done, or until trying again at once is no use."""
        tried: Draft | None = None
        for attempt in range(1, ATTEMPTS + 1):
            current = base if base is not None and base.rows is not None else self._look()
            try:
                waiting, draft = self._compose(current)
            except (HubContentInvalid, HubNotFound):
                if base is None:
                    raise
                base = None  # what we remember of the repo may be out of date: somebody may have mended it
                continue
            if draft.empty:
                if base is not None and self._moved(base):
                    base = None
                    continue
                return self._found(tried, draft, waiting)
            tried = draft
            try:
                sha = self._commit(draft)
            except HubBusy as error:
                self._pause(attempt, error)
            except (HubConflict, HubNotFound, HubUnavailable) as error:
                # Somebody else committed, or we did without hearing of it: look at the head and merge into that.
                base = None
                self._pause(attempt, error)
            else:
                return self._settle(draft, waiting, after=draft.landed(sha), sent=draft)
        raise HubBusy(f"{self.hub.repo_url(self.spec)} did not take the commit")  # _pause raises before this

    def _pause(self, attempt: int, error: HubError) -> None:
        """Wait a little longer each time; the last failure is the outcome."""
        away = isinstance(error, HubUnavailable)
        last = UNAVAILABLE_ATTEMPTS if away else ATTEMPTS
        if attempt >= last or (away and time.monotonic() - self.began > PROMPT_S):
            raise error
        self.log.warning("publishing %s, attempt %d of %d: %s", self.spec.name, attempt, last, error)
        self.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret

    def _look(self) -> RepoState:
        """The repo as it is now, created if there is none; what others took from it waits again."""
        seen = look(self.spec, cache=self.cache, hub=self.hub)
        self._settle_debt(seen)
        with self.cache.database.transaction():
            known = repo_state.load(self.cache.database, self.spec)
            if known is not None:
                self._mend(known, seen)
            repo_state.save(self.cache.database, self.spec, seen)
        return seen

    def _settle_debt(self, seen: RepoState) -> None:
        """Rows that were lost may be there again by another writer's hand."""
        known = repo_state.load(self.cache.database, self.spec)
        debt = None if known is None else losses.debt_to_check(self.spec, known=known, seen=seen, cache=self.cache)
        if debt is None:
            return
        counted = counted_until(self.spec, seen, until=debt.until, known=debt.counted, hub=self.hub)
        left = losses.note_counted(self.spec, debt=debt, counted=counted, cache=self.cache)
        self.log.info("%s: of %d rows that were lost others put %d back", seen.repo, debt.rows, debt.rows - left)

    def _moved(self, base: RepoState) -> bool:
        """Whether what we remember is out of date; asked when no commit of ours would find it out."""
        try:
            return self.hub.head(self.spec) != base.head
        except HubNotFound:
            return True

    def _mend(self, known: RepoState, seen: RepoState) -> None:
        """Send again what others took, and remember how much that was."""
        losses.note_lost(self.spec, known=known, seen=seen, cache=self.cache)
        if losses.lost_rows(self.spec, known=known, seen=seen):
            self.log.warning("%s lost files: everything the cache holds goes there again", seen.repo)
            self.cache.start_over(self.spec)
        elif paths := losses.touched(known=known, seen=seen):
            rows = losses.send_again(self.spec, known=known, paths=paths, cache=self.cache)
            told = ", ".join(sorted(paths)[:5])
            self.log.info("%s changed elsewhere (%s): comparing %s rows of the cache", seen.repo, told, f"{rows:,}")

    def _compose(self, base: RepoState) -> tuple[Waiting, Draft]:
        waiting = outboxes(self.spec, self.cache)
        draft = compose(self.spec, base=base, waiting=waiting, cache=self.cache, hub=self.hub, now_ms=self.now_ms)
        if self.spec.corrections is not None:
            lines = corrected_values(self.spec, before=draft.plan.replaced, after=draft.plan.changed)
            if self.cache.record_corrections(self.spec, lines):
                return self._compose(base)
        return waiting, draft

    def _commit(self, draft: Draft) -> str:
        rows = draft.plan.changed.height
        message = f"Add {rows:,} rows fetched until {readable(self.now_ms)}" if rows else "Move rows on"
        return self.hub.commit(
            self.spec,
            writes=draft.writes,
            deletes=draft.deletes,
            message=message,
            parent=draft.base.head,
        )

    def _found(self, tried: Draft | None, draft: Draft, waiting: Waiting) -> Published:
        """The head has all the rows: by a commit of ours that we did not hear of, or they were there before."""
        published = self._settle(draft, waiting, after=draft.base, sent=tried)
        return published if tried is not None else replace(published, reason="the Hub holds these rows already")

    def _settle(self, draft: Draft, waiting: Waiting, *, after: RepoState, sent: Draft | None) -> Published:
        """Note the commit, the row versions it carries and the repo as it is now, all in one transaction."""
        database, spec = self.cache.database, self.spec
        rows, size = (0, 0) if sent is None else (sent.plan.changed.height, sent.size)
        kept = {} if draft.empty else {path: text for path, text in draft.writes.items() if is_kept(spec, path)}
        with database.transaction():
            commit_id = repo_state.add_commit(
                database, spec, repo=after.repo, sha=after.head, at_ms=self.now_ms, rows=rows, size=size
            )
            self.cache.mark_published(spec, waiting, commit_id=commit_id)
            self.cache.adopt(spec, draft.plan.prevailing, commit_id=commit_id)
            if sent is not None:
                losses.note_put_back(spec, plan=sent.plan, repo=after.repo, cache=self.cache)
            repo_state.save(database, spec, after, contents=kept)
            moved_keys.note_written(spec, draft.plan, after=after, cache=self.cache)
        return Published(commit=after.head, url=self.hub.commit_url(spec, after.head), rows=rows, size=size)


def outboxes(spec: DatasetSpec, cache: Cache) -> Waiting:
    """What no commit carries yet, of the dataset and of its ledgers; of very much only what one commit can take."""
    waiting = {part.name: cache.unpublished(part, limit=MOST_ROWS) for part in parts_of(spec)}
    paths = sealed_paths(spec, waiting[spec.name].frame)
    if paths.n_unique() > MOST_FILES:
        waiting[spec.name] = waiting[spec.name].only(paths.is_in(paths.unique().sort().head(MOST_FILES).implode()))
    return waiting
