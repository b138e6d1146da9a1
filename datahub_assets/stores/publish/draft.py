"""What the next commit to a repo would hold: what waits, merged into the files of its head, and written as files.

Reads the Hub only for files it does not remember. Commits nothing and marks nothing.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from datahub_assets.datasets.ledgers import GAPS, ledgers_of, sources_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_placed, is_sealed, is_small
from datahub_assets.domain.files.hub_files import HubFile, lfs_content_id
from datahub_assets.domain.files.partitions import keys_move, live_name, window_start_at
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.times import readable
from datahub_assets.stores import forms
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.cache.tables import Outbox
from datahub_assets.stores.history import told_gaps
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.hub.client import size_of
from datahub_assets.stores.publish import carried, earlier_files, folds, moved_keys
from datahub_assets.stores.publish.carried import CarriedMonths
from datahub_assets.stores.publish.plans import Files, Plan, plan
from datahub_assets.stores.publish.work import Work


@dataclass(frozen=True, slots=True)
class MergedLedger:
    """A ledger with the lines that waited for it, and whether its lines change by that."""

    spec: LedgerSpec
    lines: pl.DataFrame
    changed: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """What waits, merged into a head; all of it is rows still.

    Attributes:
        base: the repo it builds on.        plan: what happens to the rows.
        small: the small files of the head, as read.        ledgers: as they will be.
        outboxes: what was merged, by the name of the dataset and of its ledgers.
        summary: what the repo holds afterwards.
        carried: months of history that go with it.        forming: files of rows not final that change by those.
    """

    base: RepoState
    plan: Plan
    small: Files
    ledgers: tuple[MergedLedger, ...]
    outboxes: Mapping[str, Outbox]
    summary: card.Summary
    carried: CarriedMonths
    forming: Files


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit not made yet.

    Attributes:
        merged: the rows it carries.
        writes: content by path, the card included; a path on the disk for what may be large.
        deletes: paths to remove.
        rewritten: which of the files written were of an earlier form.
        size: bytes of the files written.
    """

    merged: Merged
    writes: Mapping[str, bytes | Path]
    deletes: tuple[str, ...]
    rewritten: frozenset[str]
    size: int

    @property
    def empty(self) -> bool:
        """Whether the head says all this already: the card alone is no reason for a commit."""
        return not self.deletes and not self.uploaded and self.writes.keys() <= {card.CARD_PATH}

    @property
    def uploaded(self) -> tuple[HubFile, ...]:
        """Files it names whose content the Hub has already."""
        return self.merged.carried.uploaded

    @property
    def rows(self) -> int:
        """How many rows are new or changed by it."""
        return self.merged.plan.changed.height + self.merged.carried.rows_changed

    def message(self, now_ms: int) -> str:
        """The commit's title."""
        step, count = self.merged.plan, len(self.rewritten)
        carried = self.merged.carried
        did = [f"Add {step.changed.height:,} rows fetched until {readable(now_ms)}"] if step.changed.height else []
        did += [f"add {carried.rows_changed:,} rows of history ({carried.told()})"] if carried.months else []
        if not did and (step.writes or step.deletes or not count):
            did.append("Move rows on")
        rewrite = f"rewrite {count:,} files of an earlier form, their rows unchanged"
        told = " and ".join([*did, *([rewrite] if count else [])])
        return told[0].upper() + told[1:]

    def landed(self, spec: DatasetSpec, head: str) -> RepoState:
        """The repo once this is its head."""
        base, summary = self.merged.base, self.merged.summary
        files = {path: file for path, file in base.files.items() if path not in self.deletes}
        files |= {path: _hub_file(path, content) for path, content in self.writes.items()}
        files |= {file.path: file for file in self.uploaded}
        written = {*self.writes, *(file.path for file in self.uploaded)}
        return replace(
            base,
            head=head,
            files=files,
            forms={path: form for path, form in base.forms.items() if path in files} | _forms(spec, written),
            window_start=summary.window_start,
            rows=summary.rows,
            first=summary.first,
            newest=summary.newest,
            commits=None if base.commits is None else base.commits + 1,
        )


def merge_into_head(work: Work, base: RepoState, rows: Outbox, *, most_months: int | None = None) -> Merged:
    """Merge rows that wait into the head's files, and the lines that wait into its ledgers; take months of history on.

    Values of final rows that change by that are noted in the cache as corrections first, and are among those lines.

    Args:
        most_months: so many months of history at most.

    Raises:
        HubError: a file of the head could not be fetched.
        HubContentInvalid: a file of the head is not what the layout says.
    """
    spec, new = work.spec, rows.frame
    newest = max(_known(base.newest, *_times(spec, new)), default=None)
    window_start = window_start_at(spec, now_ms=work.now_ms, newest=newest, reached=base.window_start)
    small = _small(work, base)
    to_fold = folds.rows_to_fold(work, base, window_start=window_start)
    held_in = moved_keys.held_in(spec, new, base=base, cache=work.cache, hub=work.hub) if keys_move(spec) else ()
    step = plan(
        spec,
        small=small,
        new=new,
        window_start=window_start,
        live=live_name(work.now_ms),
        load=lambda path: to_fold[path] if path in to_fold else _read(work, base, path),
        sealed={path for path in base.files if is_sealed(spec, path)},
        also={*to_fold, *held_in},
    )
    work.cache.corrections(spec).note(before=step.replaced, after=step.changed)
    lines = {ledger.name: work.cache.unpublished(ledger) for ledger in ledgers_of(spec)}
    months = carried.choose(work, base, plan=step, most=most_months)
    forming, dropped = carried.drop_forming(work, step, small, months)
    added = step.rows_added + months.rows_added - dropped
    summary = card.Summary(
        window_start=window_start,
        rows=None if base.rows is None else base.rows + added,
        first=min(_known(base.first, *_times(spec, new), *months.times), default=None),
        newest=max(_known(newest, *months.times), default=None),
    )
    ledgers = _ledgers(work, base, lines, months)
    return Merged(base, step, small, ledgers, {spec.name: rows, **lines}, summary, months, forming)


def write_files(work: Work, merged: Merged) -> Draft:
    """The files that change, as the next commit sends them; and all that are of an earlier form, in today's.

    Raises:
        HubError: a file of an earlier form could not be fetched, or turned into today's without a loss.
        CacheFull: no room on the disk for those that are rewritten.
    """
    spec, base, step = work.spec, merged.base, merged.plan
    earlier = {path for path in forms.not_todays(spec, base.files, base.forms) if path not in step.deletes}
    rows = {path: frame for path, frame in {**step.writes, **merged.forming}.items() if frame.height}
    deletes = {*step.deletes, *merged.carried.deletes, *(merged.forming.keys() - rows.keys())}
    writes: dict[str, bytes | Path] = {path: layout.write(spec, frame) for path, frame in rows.items()}
    writes |= carried.as_written(work, merged.carried)
    writes |= {
        path: layout.write(spec, frame)
        for path, frame in merged.small.items()
        if path in earlier and path not in writes
    }
    writes |= {
        one.spec.path: layout.write(one.spec, one.lines)
        for one in merged.ledgers
        if one.changed or one.spec.path in earlier
    }
    if left := sorted(earlier - writes.keys()):
        writes |= earlier_files.rewritten(work, base, left)
    uploaded = {file.path for file in merged.carried.uploaded}
    paths = (base.files.keys() | writes.keys() | uploaded) - deletes
    told = [one.spec for one in merged.ledgers if one.lines.height]
    told += [ledger for ledger in (sources_of(spec),) if ledger is not None and any(map(ledger.holds, paths))]
    repo_id, summary = work.hub.repo_id(spec), merged.summary
    writes[card.CARD_PATH] = card.render(spec, repo_id=repo_id, summary=summary, paths=paths, ledgers=told)
    size = sum(map(size_of, writes.values())) + sum(file.size for file in merged.carried.uploaded)
    return Draft(merged, writes, tuple(sorted(deletes)), rewritten=frozenset(earlier), size=size)


def is_kept(spec: DatasetSpec, path: str) -> bool:
    """Whether the content of this file is remembered between publishes."""
    return is_small(spec, path) or path in {ledger.path for ledger in ledgers_of(spec)}


def _read(work: Work, base: RepoState, path: str) -> pl.DataFrame:
    content = work.hub.read(work.spec, path, revision=base.head)
    return layout.read(work.spec, content, name=f"{path} at {base.head}", to_rewrite=True)


def _small(work: Work, base: RepoState) -> dict[str, pl.DataFrame]:
    """The rows of the small files of the head."""
    contents = _contents(work, base, {path for path in base.files if is_small(work.spec, path)})
    return {
        path: layout.read(work.spec, content, name=f"{path} at {base.head}", to_rewrite=True)
        for path, content in sorted(contents.items())
    }


def _contents(work: Work, base: RepoState, paths: set[str]) -> dict[str, bytes]:
    """Content of small files of the head: remembered, or else fetched and remembered."""
    memory = work.cache.repo(work.spec)
    known = memory.contents(paths)
    fetched = {path: work.hub.read(work.spec, path, revision=base.head) for path in sorted(paths - known.keys())}
    if fetched:
        memory.remember(fetched)
    return known | fetched


def _ledgers(
    work: Work, base: RepoState, waiting: Mapping[str, Outbox], months: CarriedMonths
) -> tuple[MergedLedger, ...]:
    """Each ledger with the lines that wait for it, and those of months of history."""
    ledgers = ledgers_of(work.spec)
    held = _contents(work, base, {ledger.path for ledger in ledgers if ledger.path in base.files})
    result = []
    for ledger in ledgers:
        new, content, name = waiting[ledger.name].frame, held.get(ledger.path), f"{ledger.path} at {base.head}"
        before = None if content is None else layout.read(ledger, content, name=name, to_rewrite=True)
        after = _with_months(work, ledger, ledger.merge([new] if before is None else [before, new]), months)
        # The file is there from the first commit on, so that readers need no case for its absence.
        result.append(MergedLedger(ledger, after, changed=before is None or not after.equals(before)))
    return tuple(result)


def _with_months(work: Work, ledger: LedgerSpec, lines: pl.DataFrame, months: CarriedMonths) -> pl.DataFrame:
    if not months.months:
        return lines
    if ledger.name == GAPS:
        return ledger.merge([lines, told_gaps.lines(work.spec, lines, months.reports, now_ms=work.now_ms)])
    return ledger.merge([lines, months.lines(ledger)])


def _hub_file(path: str, content: bytes | Path) -> HubFile:
    if isinstance(content, bytes):
        return HubFile(path, len(content), lfs_content_id(content))
    with content.open("rb") as file:
        return HubFile(path, content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _forms(spec: DatasetSpec, paths: Collection[str]) -> dict[str, str]:
    """Of files that were written just now."""
    found = {path: forms.todays_form(spec) for path in paths if is_placed(spec, path)}
    return found | {ledger.path: forms.todays_form(ledger) for ledger in ledgers_of(spec) if ledger.path in paths}


def _times(spec: DatasetSpec, rows: pl.DataFrame) -> tuple[int | None, int | None]:
    """The oldest and the newest time (epoch ms)."""
    found: tuple[int | None, int | None] = rows.select(first=spec.time_ms().min(), last=spec.time_ms().max()).row(0)
    return found


def _known(*times: int | None) -> Iterable[int]:
    return (time for time in times if time is not None)
