"""What a commit carries besides the rows that wait in the cache: months of history that workers have built.

A month fits as long as the head has exactly those files of it that it was merged from. Once the head has what came of
it, its commit was made, whether we heard of it or not. In any other case somebody else changed the month: the report is
dropped, and the month is due again. So a report is committed once at most, and trying again does no harm.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from datahub_assets.datasets.ledgers import SOURCES
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.history import Month
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.rows import Rejected, frame_of
from datahub_assets.stores import forms
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.history import reports, told_sources
from datahub_assets.stores.history.reports import Report, WaitingReport
from datahub_assets.stores.hub import layout
from datahub_assets.stores.publish.plans import Files, Plan
from datahub_assets.stores.publish.work import Work

MOST_FILES: Final = 40
"""Files of history in one commit: with those of live rows it stays within what the Hub advises, 50 to 100."""


@dataclass(frozen=True, slots=True)
class CarriedMonths:
    """Months of history that go with a commit.

    Attributes:
        months: their reports.        uploaded: files that change.        deletes: paths to remove.
        ledgers: parts of the ledger of sources, by path.
    """

    months: tuple[WaitingReport, ...] = ()
    uploaded: tuple[HubFile, ...] = ()
    deletes: tuple[str, ...] = ()
    ledgers: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def reports(self) -> list[Report]:
        """Of all of them."""
        return [one.report for one in self.months]

    @property
    def rows_added(self) -> int:
        """By how many rows the dataset grows."""
        return sum(one.report.rows_added for one in self._new)

    @property
    def rows_changed(self) -> int:
        """How many rows are new or say something else."""
        return sum(one.report.rows_changed for one in self._new)

    @property
    def times(self) -> list[int]:
        """The oldest and the newest time of each month that has rows (epoch ms)."""
        told = [time for one in self.months for time in (one.report.first, one.report.newest)]
        return [time for time in told if time is not None]

    @property
    def rejected(self) -> list[Rejected]:
        """The rows that failed a check."""
        return [row for one in self.months for row in one.report.rejected]

    @property
    def forming(self) -> list[list[str | int]]:
        """Keys of rows that were not final, and have a final version now."""
        return [key for one in self._new for key in one.report.forming]

    def lines(self, ledger: LedgerSpec) -> pl.DataFrame:
        """The lines for a ledger of the dataset."""
        return frame_of(ledger, [line for one in self.months for line in one.report.lines.get(ledger.name, [])])

    def told(self) -> str:
        """The months in words, for a commit's title."""
        names = [one.report.name for one in self.months]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004

    @property
    def _new(self) -> list[WaitingReport]:
        """Those whose files are in no commit yet."""
        paths = {*(file.path for file in self.uploaded), *self.deletes}
        return [one for one in self.months if paths & {*(f.path for f in one.report.files), *one.report.deletes}]


def choose(work: Work, base: RepoState, *, plan: Plan, most: int | None = None) -> CarriedMonths:
    """The months that wait, as many as one commit takes; those that fit this head no more are dropped.

    Args:
        plan: what else happens to the files: months whose files it changes wait for the next commit.
        most: so many months at most.

    Raises:
        HubError: a part of the ledger of sources could not be read.
    """
    waiting = reports.waiting(work.cache.folder, work.spec)
    if not waiting or forms.not_todays(work.spec, base.files, base.forms):
        return CarriedMonths()  # files of two forms must not meet: what is rewritten now is merged anew afterwards
    files, busy = dict(base.files), {*plan.writes, *plan.deletes}
    chosen: list[WaitingReport] = []
    uploaded: dict[str, HubFile] = {}
    deletes: list[str] = []
    parts: set[str] = set()
    for one in waiting:
        report = one.report
        month = Month.parse(report.month)
        held = report.held_by(work.spec, files)
        is_landed = held == report.results()
        if report.repo != base.repo or not (is_landed or held == report.bases):
            work.log.warning("%s: %s was changed elsewhere meanwhile, and is due again", base.repo, report.name)
            reports.discard(one.path)
            continue
        new = [] if is_landed else report.files
        wanted = {*parts, told_sources.part_of(work.spec, group=report.group, month=month)}
        is_too_much = len(uploaded) + len(new) + len(wanted) > MOST_FILES and chosen
        if is_too_much or (most is not None and len(chosen) >= most):
            break
        if busy & {*report.bases, *report.results()}:
            continue
        chosen.append(one)
        parts = wanted
        uploaded |= {file.path: file for file in new}
        deletes += [] if is_landed else report.deletes
        files = {path: file for path, file in files.items() if path not in report.deletes} | uploaded
    ledgers = _ledgers(work, base, chosen, parts)
    return CarriedMonths(tuple(chosen), tuple(uploaded.values()), tuple(deletes), ledgers)


def _ledgers(
    work: Work, base: RepoState, chosen: Collection[WaitingReport], paths: Collection[str]
) -> dict[str, pl.DataFrame]:
    """The parts of the ledger of sources that change, with the lines of these months."""
    changed = {}
    for path in sorted(paths):
        ledger = told_sources.ledger_of(work.spec)
        told = told_sources.read(work.spec, path, hub=work.hub, files=base.files, revision=base.head).lines
        lines = [
            line
            for one in chosen
            if told_sources.part_of(work.spec, group=one.report.group, month=Month.parse(one.report.month)) == path
            for line in one.report.lines.get(SOURCES, [])
        ]
        after = ledger.merge([told, frame_of(ledger, lines)])
        if not after.equals(told):
            changed[path] = after
    return changed


def drop_forming(work: Work, plan: Plan, small: Files, carried: CarriedMonths) -> tuple[dict[str, pl.DataFrame], int]:
    """The small files that change as rows that were not final have final versions now, and how many rows that are.

    One may have no rows left.
    """
    changed: dict[str, pl.DataFrame] = {}
    count = 0
    keys = frame_of(work.spec, [dict(zip(work.spec.key, key, strict=True)) for key in carried.forming])
    for path in (path for path in small if carried.forming and path not in plan.deletes):
        before = plan.writes.get(path, small[path])
        final = pl.lit(value=True) if work.spec.final is None else pl.col(work.spec.final)
        left = before.filter(final | ~pl.struct(work.spec.key).is_in(keys.select(pl.struct(work.spec.key)).to_series()))
        if left.height < before.height:
            changed[path] = left
            count += before.height - left.height
    return changed, count


def as_written(work: Work, carried: CarriedMonths) -> dict[str, bytes]:
    """The parts of the ledger of sources as files."""
    ledger = told_sources.ledger_of(work.spec) if carried.ledgers else None
    return {path: layout.write(ledger, lines) for path, lines in carried.ledgers.items() if ledger is not None}


def discard(carried: CarriedMonths) -> None:
    """Their commit is made, or their content is gone."""
    for one in carried.months:
        reports.discard(one.path)
