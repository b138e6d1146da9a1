"""Publishing: what waits in the cache becomes one commit on the Hub, whatever the Hub does meanwhile.

Reads the outbox, merges into the head, commits on top of exactly that head, and marks exactly what was read. Every
failure leaves the rows waiting, and doing it again converges, since merging what is there already changes nothing.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from datahub_assets.datasets.ledgers import parts_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubConflict, HubNotFound
from datahub_assets.domain.files.data_files import is_small
from datahub_assets.domain.files.partitions import keys_move, sealed_paths, window_start_at
from datahub_assets.stores import forms
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.cache.tables import Outbox
from datahub_assets.stores.history import reports, told_gaps
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import carried, earlier_files, folds, losses, moved_keys
from datahub_assets.stores.publish.draft import Draft, is_kept, merge_into_head, write_files
from datahub_assets.stores.publish.head import look_and_mend
from datahub_assets.stores.publish.retries import Retries
from datahub_assets.stores.publish.work import Work

MOST_ROWS: Final = 500_000
"""Rows in one commit, which bounds the memory it takes; more, as after days without a Hub, go in the next ones."""
MOST_FILES: Final = 80
"""Sealed files in one commit that new rows change; the Hub advises 50 to 100. A first fill of decades takes several
commits. Files of an earlier form are not counted: those are all rewritten in one, see `earlier_files`."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """How a publish ended.

    Attributes:
        commit: the commit that carries the rows, None when none was made.        url: where to look at it.
        rows: rows new or changed by it.        size: bytes of the files written.
        rewritten: how many files of an earlier form it wrote anew; their rows are not counted.
        reason: why there was no commit, None when there was one.
    """

    commit: str | None = None
    url: str | None = None
    rows: int = 0
    size: int = 0
    rewritten: int = 0
    reason: str | None = None

    def told(self, spec: DatasetSpec) -> str:
        """A line for the log."""
        if self.reason is not None:
            return f"published nothing of {spec.name}: {self.reason}"
        anew = f", {self.rewritten:,} files in today's form" if self.rewritten else ""
        return f"published {self.rows:,} rows of {spec.name} ({self.size:,} bytes{anew}) in commit {self.commit}"


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
        CacheError: the same, as there is no room on the disk.        StorageFailed: the same, as the disk failed.
    """
    work = Work(spec=spec, cache=cache, hub=hub, now_ms=now_ms, log=log)
    follow_move(work)
    reason = reason_to_wait(work, limits)
    if reason is not None:
        return Published(reason=reason)
    sent: Draft | None = None
    tries = Retries(work, sleep)
    while True:
        with tries:
            base = head_to_build_on(work, remembered=tries.remembered)
            rows = outbox(work)
            merged = merge_into_head(work, base, rows, most_months=tries.most_months)
            draft = write_files(work, merged)
            if draft.empty:
                return note_found(work, draft, sent=sent, remembered=tries.remembered)
            sent = draft
            with tries.without_gone(draft.merged.carried):
                sha = commit(work, draft)
            return note_commit(work, draft, after=draft.landed(spec, sha), sent=sent)


def follow_move(work: Work) -> None:
    """If the rows go to another repo than before, all that the cache holds waits again."""
    known = work.cache.repo(work.spec).load()
    if known is not None and known.repo != work.hub.repo_url(work.spec):
        told = (work.spec.name, known.repo, work.hub.endpoint)
        work.log.warning("%s moves from %s to %s: everything the cache holds goes there", *told)
        work.cache.start_over(work.spec, now_ms=work.now_ms)


def reason_to_wait(work: Work, limits: CommitLimits) -> str | None:
    """Why no commit is to be made, in words; None if one is."""
    spec, cache = work.spec, work.cache
    known = cache.repo(spec).load()
    waiting = {part.name: cache.waiting(part) for part in parts_of(spec)}
    is_idle = not any(waiting.values()) and not reports.pending(cache.folder, spec)
    if is_idle and (known is None or not _changes_by_itself(work, known)):
        return "nothing changed since the last commit"
    wait = cache.budget.wait(spec, limits=limits, now_ms=work.now_ms)
    if not wait.ms:
        return None
    return f"{wait.cause} allows the next commit in {wait.ms / 1000:.0f} s; {waiting[spec.name]:,} rows wait"


def _changes_by_itself(work: Work, known: RepoState) -> bool:
    """Whether there is something to commit though nothing waits: a window or a period is over, or files to rewrite."""
    if forms.not_todays(work.spec, known.files, known.forms):
        return True
    reached = known.window_start
    window_start = window_start_at(work.spec, now_ms=work.now_ms, newest=known.newest, reached=reached)
    rolls = window_start > reached and any(is_small(work.spec, path) for path in known.files)
    return rolls or bool(folds.due(work.spec, known, window_start=window_start))


def head_to_build_on(work: Work, *, remembered: bool) -> RepoState:
    """The repo as remembered, if it may be and has no file of an earlier form; else as it is now.

    Before files are rewritten it is looked at too: that may take long, and must not be done for a head that somebody
    has left behind.
    """
    known = work.cache.repo(work.spec).load() if remembered else None
    if known is None or known.rows is None or forms.not_todays(work.spec, known.files, known.forms):
        return look_and_mend(work)
    return known


def outbox(work: Work) -> Outbox:
    """The rows no commit carries yet; of very many only what one commit can take."""
    rows = work.cache.unpublished(work.spec, limit=MOST_ROWS)
    paths = sealed_paths(work.spec, rows.frame)
    if paths.n_unique() > MOST_FILES:
        return rows.only(paths.is_in(paths.unique().sort().head(MOST_FILES).implode()))
    return rows


def commit(work: Work, draft: Draft) -> str:
    """One atomic commit on top of exactly the head that was merged into; its sha.

    Raises:
        HubConflict: that is not the head any more.        HubError: see `Hub.commit`.
    """
    return work.hub.commit(
        work.spec,
        writes=draft.writes,
        uploaded=draft.uploaded,
        deletes=draft.deletes,
        message=draft.message(work.now_ms),
        parent=draft.merged.base.head,
    )


def note_found(work: Work, draft: Draft, *, sent: Draft | None, remembered: bool) -> Published:
    """The head has all the rows: by a commit of ours that we did not hear of, or they were there before.

    Raises:
        HubConflict: what is remembered of the head is out of date, which no commit of ours would have found out.
    """
    if remembered and _moved(work, draft.merged.base):
        raise HubConflict(f"{draft.merged.base.repo} has another head than remembered")
    reason = None if sent is not None else "the Hub holds these rows already"
    return note_commit(work, draft, after=draft.merged.base, sent=sent, reason=reason)


def _moved(work: Work, base: RepoState) -> bool:
    try:
        return work.hub.head(work.spec) != base.head
    except HubNotFound:
        return True


def note_commit(
    work: Work, draft: Draft, *, after: RepoState, sent: Draft | None, reason: str | None = None
) -> Published:
    """Note the commit, the row versions it carries and the repo as it is now, all in one transaction.

    Args:
        draft: what was merged last.        after: the repo that holds all of it.
        sent: the draft that brought it there; None where none of ours did, for this reason.
    """
    spec, cache, memory = work.spec, work.cache, work.cache.repo(work.spec)
    plan = draft.merged.plan
    rows, size = (0, 0) if sent is None else (sent.rows, sent.size)
    written = {} if draft.empty else draft.writes
    kept = {path: text for path, text in written.items() if isinstance(text, bytes) and is_kept(spec, path)}
    if draft.rewritten:
        earlier_files.clear(work)  # before it is noted: else nobody would look for them again
    with cache.transaction():
        commit_id = memory.add_commit(repo=after.repo, sha=after.head, at_ms=work.now_ms, rows=rows, size=size)
        cache.mark_published(spec, draft.merged.outboxes, commit_id=commit_id)
        if plan.prevailing.height:
            cache.adopt(spec, plan.prevailing, commit_id=commit_id)
        if sent is not None and cache.note(spec, losses.OWED) is not None:
            losses.note_put_back(spec, plan=sent.merged.plan, repo=after.repo, cache=cache)
        memory.save(after, contents=kept)
        cache.quarantine(draft.merged.carried.rejected, now_ms=work.now_ms)
        cache.gaps(spec).heal(told_gaps.rows_there(spec, draft.merged.carried.reports), now_ms=work.now_ms)
        if keys_move(spec):
            moved_keys.note_written(spec, plan, before=draft.merged.base, after=after, cache=cache)
    carried.discard(draft.merged.carried)
    rewritten = 0 if sent is None else len(sent.rewritten)
    url = work.hub.commit_url(spec, after.head)
    published = Published(after.head, url, rows=rows, size=size, rewritten=rewritten, reason=reason)
    work.log.info("%s", published.told(spec))
    return published
