"""What the next commit to a repo would hold: the rows that wait, merged into the files of its head.

Reads the Hub only for files it does not remember. Commits nothing and marks nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.hub_files import HubFile, lfs_content_id
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.partitions import is_small, live_name, window_start_at
from datahub_assets.stores.cache import repo_state
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.cache.tables import Outbox
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import moved_keys
from datahub_assets.stores.publish.plans import Plan, plan

Waiting = Mapping[str, Outbox]
"""The outboxes of a dataset and of its ledgers, by name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit not made yet.

    Attributes:
        base: the repo it builds on.        plan: what happens to the rows.
        writes: content by path, the card included.        deletes: paths to remove.
        summary: what the repo holds afterwards.
        beside: paths that go with a commit and are no reason for one.
    """

    base: RepoState
    plan: Plan
    writes: Mapping[str, bytes]
    deletes: tuple[str, ...]
    summary: card.Summary
    beside: frozenset[str]

    @property
    def empty(self) -> bool:
        """Whether the head says all this already."""
        return not self.deletes and self.writes.keys() <= self.beside

    @property
    def size(self) -> int:
        """Bytes of the files written."""
        return sum(len(content) for content in self.writes.values())

    def landed(self, head: str) -> RepoState:
        """The repo once this is its head."""
        files = {path: file for path, file in self.base.files.items() if path not in self.deletes}
        files |= {path: HubFile(path, len(content), lfs_content_id(content)) for path, content in self.writes.items()}
        summary = self.summary
        return replace(
            self.base,
            head=head,
            files=files,
            window_start=summary.window_start,
            rows=summary.rows,
            first=summary.first,
            newest=summary.newest,
            commits=None if self.base.commits is None else self.base.commits + 1,
        )


def rolls(spec: DatasetSpec, base: RepoState, *, now_ms: int) -> bool:
    """Whether the live window has moved on since the head, so that rows have to move too."""
    if not any(is_small(spec, path) for path in base.files):
        return False
    return window_start_at(spec, now_ms=now_ms, newest=base.newest, reached=base.window_start) > base.window_start


def compose(spec: DatasetSpec, *, base: RepoState, waiting: Waiting, cache: Cache, hub: Hub, now_ms: int) -> Draft:
    """Merge what waits into the head's files.

    Raises:
        HubError: a file of the head could not be fetched.
        HubContentInvalid: a file of the head is not what the layout says.
    """
    new = waiting[spec.name].frame
    newest = _latest(base.newest, spec, new)
    window_start = window_start_at(spec, now_ms=now_ms, newest=newest, reached=base.window_start)

    def load(path: str) -> pl.DataFrame | None:
        if path not in base.files:
            return None
        content = hub.read(spec, path, revision=base.head)
        return layout.read(spec, content, name=f"{path} at {base.head}")

    step = plan(
        spec,
        small=_small(spec, base=base, cache=cache, hub=hub),
        new=new,
        window_start=window_start,
        live=live_name(now_ms),
        load=load,
        held_in=moved_keys.held_in(spec, new, base=base, cache=cache, hub=hub),
    )
    writes = {path: layout.write(spec, frame) for path, frame in step.writes.items()}
    ledgers = _ledgers(spec, base=base, waiting=waiting, cache=cache, hub=hub)
    writes |= {one.spec.path: layout.write(one.spec, one.lines) for one in ledgers if one.changed or one.earlier}
    summary = card.Summary(
        window_start=window_start,
        rows=None if base.rows is None else base.rows + step.rows_added,
        first=_earliest(base.first, spec, new),
        newest=newest,
    )
    paths = (base.files.keys() | writes.keys()) - set(step.deletes)
    told = [one.spec for one in ledgers if one.lines.height]
    writes[card.CARD_PATH] = card.render(spec, repo_id=hub.repo_id(spec), summary=summary, paths=paths, ledgers=told)
    beside = frozenset({card.CARD_PATH, *(one.spec.path for one in ledgers if not one.changed)})
    return Draft(base=base, plan=step, writes=writes, deletes=step.deletes, summary=summary, beside=beside)


def _small(spec: DatasetSpec, *, base: RepoState, cache: Cache, hub: Hub) -> dict[str, pl.DataFrame]:
    """The rows of the small files of the head."""
    held = {path for path in base.files if is_small(spec, path)}
    contents = _contents(spec, held, base=base, cache=cache, hub=hub)
    return {
        path: layout.read(spec, content, name=f"{path} at {base.head}") for path, content in sorted(contents.items())
    }


def is_kept(spec: DatasetSpec, path: str) -> bool:
    """Whether the content of this file is remembered between publishes."""
    return is_small(spec, path) or path in {ledger.path for ledger in ledgers_of(spec)}


def _contents(spec: DatasetSpec, paths: set[str], *, base: RepoState, cache: Cache, hub: Hub) -> dict[str, bytes]:
    """Content of small files of the head: remembered, or else fetched and remembered."""
    known = repo_state.contents(cache.database, spec, paths)
    fetched = {path: hub.read(spec, path, revision=base.head) for path in sorted(paths - known.keys())}
    if fetched:
        repo_state.remember(cache.database, spec, fetched)
    return known | fetched


@dataclass(frozen=True, slots=True)
class _Ledger:
    """A ledger as it will be; whether its lines change by that, and whether its file is of an earlier form."""

    spec: LedgerSpec
    lines: pl.DataFrame
    changed: bool
    earlier: bool


def _ledgers(spec: DatasetSpec, *, base: RepoState, waiting: Waiting, cache: Cache, hub: Hub) -> list[_Ledger]:
    """Each ledger with the lines that wait for it."""
    paths = {ledger.path for ledger in ledgers_of(spec) if ledger.path in base.files}
    held = _contents(spec, paths, base=base, cache=cache, hub=hub)
    result = []
    for ledger in ledgers_of(spec):
        new, content, name = waiting[ledger.name].frame, held.get(ledger.path), f"{ledger.path} at {base.head}"
        if content is None:
            # The file is there from the first commit on, so that readers need no case for its absence.
            result.append(_Ledger(ledger, ledger.merge([new]), changed=True, earlier=False))
            continue
        before = layout.read(ledger, content, name=name)
        after = ledger.merge([before, new])
        earlier = layout.is_earlier(ledger, content, name=name)
        result.append(_Ledger(ledger, after, changed=not after.equals(before), earlier=earlier))
    return result


def _latest(known: int | None, spec: DatasetSpec, new: pl.DataFrame) -> int | None:
    times = [known, new.select(spec.time_ms().max()).item()]
    return max((time for time in times if time is not None), default=None)


def _earliest(known: int | None, spec: DatasetSpec, new: pl.DataFrame) -> int | None:
    times = [known, new.select(spec.time_ms().min()).item()]
    return min((time for time in times if time is not None), default=None)
