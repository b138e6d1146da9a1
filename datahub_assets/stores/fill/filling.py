"""Fills months one after the other, until all that can be had is committed. What is done the ledger of sources says.

Interrupted anywhere, the next fill goes on where this one was: months in the ledger are not asked for again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from datahub_assets.datasets.spec import DatasetSpec, Series
from datahub_assets.domain.errors import SourceError
from datahub_assets.domain.history import HistorySource, Month, SourceLine
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.history import base, reports, told_sources, worker
from datahub_assets.stores.hub.client import Hub

MOST_WAITING: Final = 10
"""Months that may wait for their commit: a Hub keeps uploaded content that no commit names for an hour at least."""
PASSES: Final = 3
"""How often a month is built anew that somebody else changed before its commit, or of which a series failed."""
MOST_FAILURES: Final = 3
"""So many months that fail one after another, and the source counts as out of order."""
PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fill is: months of groups that are committed, of how many, and rows fetched; and what it does."""

    done: int
    total: int
    rows: int
    doing: str


def no_progress(_now: Progress) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Filled:
    """What came of a fill.

    Attributes:
        rows: how many were fetched.        bad: files and answers that something is wrong with.
        failed: series and months that could not be asked for, with the reason.
        left: months that are the live chain's still.
    """

    rows: int = 0
    bad: list[SourceLine] = field(default_factory=list)
    failed: dict[tuple[Series, Month], str] = field(default_factory=dict)
    left: list[tuple[str, Month]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What a fill works with.

    Attributes:
        source: where rows come from.        home: folder for what is being built.
        commit: tries to commit what waits; does nothing where somebody else does that.
        clock: gives epoch ms.        tell: told of progress.
    """

    wish: Wish
    source: HistorySource
    hub: Hub
    home: Path
    log: logging.Logger
    clock: Callable[[], int]
    sleep: Callable[[float], None]
    commit: Callable[[], object]
    tell: Callable[[Progress], None] = no_progress


def due(
    spec: DatasetSpec, group: str, month: Month, *, fill: Fill, found: base.Base, since_ms: int | None = None
) -> list[Series]:
    """The series of a month that are not done at this head, nor were asked for since `since_ms`.

    Raises:
        SourceError: the source could not say which there are.        ValueError: one that is wanted is not known.
        HubError: the ledger could not be read.
    """
    part = told_sources.part_of(spec, group=group, month=month)
    told = told_sources.read(spec, part, hub=fill.hub, files=found.files, revision=found.head)
    settled = told.done(month, since_ms=since_ms)
    wish = fill.wish
    there = fill.source.series(group, month, wanted=wish.wanted, with_delisted=wish.with_delisted)
    return [series for series in there if series not in settled]


def series_count(fill: Fill) -> int:
    """How many series the wish is about, in its last month; of the group that has most.

    Raises:
        SourceError, ValueError: as `due`.
    """
    wish = fill.wish
    last = Month.parse(wish.last)
    counts = [
        len(fill.source.series(group, last, wanted=wish.wanted, with_delisted=wish.with_delisted))
        for group in wish.groups
    ]
    return max(counts, default=0)


def run(fill: Fill) -> Filled:
    """Fill all months of the wish, and wait until they are committed.

    Raises:
        SourceError: the source is out of order.        HubError: about the Hub.        ValueError: see `due`.
    """
    filling = _Filling(fill)
    for _ in range(PASSES):
        for group, month in [one for one in fill.wish.partitions() if one not in filling.done]:
            filling.visit(group, month)
        filling.settle(0)
        if len(filling.done) == filling.progress.total:
            break
    return filling.filled


def build_once(fill: Fill) -> Filled:
    """Build what is due of the wish; its commits are somebody else's, and are waited for only where many are behind.

    Raises:
        SourceError, HubError, ValueError: as `run`.
    """
    filling = _Filling(fill)
    for group, month in fill.wish.partitions():
        filling.visit(group, month)
    return filling.filled


class _Filling:
    """A fill on its way."""

    def __init__(self, fill: Fill) -> None:
        self.filled = Filled()
        self.done: set[tuple[str, Month]] = set()
        self._built: set[tuple[str, Month]] = set()
        self._failures = 0
        self.progress = Progress(0, len(fill.wish.partitions()), 0, "looking at what is there")
        self._fill = fill
        self._spec = fill.wish.spec
        self._since_ms = fill.clock()

    def visit(self, group: str, month: Month) -> None:
        """Build a month, if any of it is due."""
        fill, spec = self._fill, self._spec
        self._tell(doing=f"{group} {month}".strip())
        self._wait(lambda: reports.pending(fill.home, spec, group=group, month=month) > 0)
        found = base.look(spec, hub=fill.hub, now_ms=fill.clock())
        if found.is_shared(spec, group=group, month=month):  # what waits may split the file that has this month too
            self.settle(0)
            found = base.look(spec, hub=fill.hub, now_ms=fill.clock())
        if not found.has_rolled(spec, group=group, month=month):
            self.filled.left.append((group, month))
            self._finish(group, month)
            return
        series = due(spec, group, month, fill=fill, found=found, since_ms=self._since_ms)
        if not series:
            self._finish(group, month)
            return
        self.settle(MOST_WAITING - 1)
        work = worker.MonthWork(
            spec=spec,
            group=group,
            month=month,
            base=found,
            source=fill.source,
            hub=fill.hub,
            home=fill.home,
            clock=fill.clock,
            log=fill.log,
            fetched=self._fetched,
        )
        self._build(work, series)
        fill.commit()

    def _build(self, work: worker.MonthWork, series: list[Series]) -> None:
        try:
            built = worker.build(work, series)
        except SourceError as error:
            self.filled.failed |= {(one, work.month): str(error) for one in series}
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise
            return
        self._failures = 0
        self._built.add((work.group, work.month))
        reports.save(self._fill.home, built.report)
        self._note(work.month, series, built)

    def settle(self, most: int) -> None:
        """Wait until no more than so many months wait for their commit."""
        self._wait(lambda: reports.pending(self._fill.home, self._spec) > most)

    def _wait(self, is_waiting: Callable[[], bool]) -> None:
        while is_waiting():
            self._fill.commit()
            if is_waiting():
                self._tell(doing="waiting for a commit")
                self._fill.sleep(PAUSE_S)

    def _note(self, month: Month, series: list[Series], built: worker.Built) -> None:
        for one in series:
            self.filled.failed.pop((one, month), None)
        self.filled.failed |= {(one, month): str(error) for one, error in built.failed.items()}
        self.filled.bad += built.bad

    def _fetched(self, rows: int) -> None:
        self.filled.rows += rows
        self._tell()

    def _finish(self, group: str, month: Month) -> None:
        self.done.add((group, month))
        self._tell()

    def _tell(self, *, doing: str | None = None) -> None:
        done = len(self.done | self._built)
        now = replace(self.progress, done=done, rows=self.filled.rows, doing=doing or self.progress.doing)
        self.progress = now
        self._fill.tell(now)
