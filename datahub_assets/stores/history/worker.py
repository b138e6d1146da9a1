"""Builds a month of a group: fetched rows, merged with what the head has of it, as files that are uploaded already.

The series are walked through in order, so memory does not grow with their number. Commits nothing; what is built is
told in a report, see `reports`. Needs no cache, so that it may run on any machine.
"""

import logging
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from datahub_assets.datasets.ledgers import CORRECTIONS, GAPS, SOURCES, gap_line, series_text, source_line
from datahub_assets.datasets.spec import DatasetSpec, GapRule, Series
from datahub_assets.domain.errors import SourceError
from datahub_assets.domain.files.hub_files import HubFile
from datahub_assets.domain.gaps import Run, without_rows
from datahub_assets.domain.history import HistorySource, Month, SeriesMonth, SourceLine
from datahub_assets.domain.rows import Rejected, in_epoch_ms
from datahub_assets.stores.history import reports
from datahub_assets.stores.history.base import Base, forming_rows
from datahub_assets.stores.history.held_rows import HeldRows
from datahub_assets.stores.history.merging import MonthMerge
from datahub_assets.stores.history.month_files import MonthFiles
from datahub_assets.stores.hub.client import Hub
from datahub_system.files.private import private_folder

MOST_FAILURES: Final = 5
"""So many series that fail one after another, and the source counts as out of order."""
MOST_FILE_BYTES: Final = 150_000_000
"""More than a file should have, for readers that fetch it whole. A day of 600 pairs by the minute was measured with
55 MB, a month by the hour with 30 MB: it takes 1,600 pairs, and in 2026 1,366 were traded."""
_BUILDING: Final = "building"


@dataclass(slots=True)
class Built:
    """What became of a month.

    Attributes:
        report: what to commit.        rows: how many were fetched.
        bad: files and answers that something is wrong with.        failed: series that could not be asked for.
    """

    report: reports.Report
    rows: int = 0
    bad: list[SourceLine] = field(default_factory=list)
    failed: dict[Series, SourceError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthWork:
    """What a worker works with: a month of a group of a dataset, the head to build on, and where rows come from.

    Attributes:
        home: folder for what is being built.        clock: gives epoch ms.
        fetched: told how many rows came, series by series.        most_file_bytes: a larger file is warned of.
    """

    spec: DatasetSpec
    group: str
    month: Month
    base: Base
    source: HistorySource
    hub: Hub
    home: Path
    clock: Callable[[], int]
    log: logging.Logger
    fetched: Callable[[int], None] = lambda _rows: None
    most_file_bytes: int = MOST_FILE_BYTES


def build(work: MonthWork, series: Sequence[Series]) -> Built:
    """Fetch these series, and build and upload the files that change by it.

    Series that could not be asked for are left out; they stay due.

    Raises:
        SourceError: none could, or too many one after another could not.        HubError: about the Hub.
        OSError: the disk failed.        ValueError: the month is the live chain's still.
    """
    if not work.base.has_rolled(work.spec, group=work.group, month=work.month):
        raise ValueError(f"{work.group} {work.month} is the live chain's until its windows have rolled")
    folder = work.home / reports.FOLDER
    private_folder(folder)
    private_folder(folder / _BUILDING)
    with tempfile.TemporaryDirectory(dir=folder / _BUILDING) as name:
        return _built(work, sorted(series), Path(name))


def _built(work: MonthWork, series: Sequence[Series], folder: Path) -> Built:
    spec, base = work.spec, work.base
    span = base.span(spec, group=work.group, month=work.month)
    bases = reports.holding(spec, base.files, group=work.group, span=span)
    forming = forming_rows(spec, base, group=work.group, month=work.month, hub=work.hub)
    built = _Building(work)
    with (
        HeldRows(spec, [base.files[path] for path in bases], hub=work.hub, revision=base.head, folder=folder) as held,
        MonthFiles(spec, group=work.group, span=span, folder=folder) as files,
    ):
        merge = MonthMerge(spec, month=work.month, span=span, files=files, forming=forming)
        for name, found in _in_order(work, series, held, built):
            rows = merge.add(held.take(name), None if found is None else found.rows)
            if found is not None:
                built.note_gaps(found, rows)
        made = files.close()
        written = {path: made[path] for path in made if path in merge.changed or path not in bases}
        _warn_of_large(work, [described for described, _ in written.values()])
        work.hub.upload(spec, {path: file for path, (_, file) in written.items()})
    report = reports.Report(
        dataset=spec.name,
        group=work.group,
        month=str(work.month),
        repo=work.hub.repo_url(spec),
        made_at=work.clock(),
        bases=bases,
        files=[described for described, _ in written.values()],
        deletes=[path for path in bases if path not in made],
        rows_added=merge.rows_added,
        rows_changed=merge.rows_changed,
        first=merge.first,
        newest=merge.newest,
        forming=merge.superseded,
        lines={SOURCES: built.sources, GAPS: built.gaps, CORRECTIONS: [*built.corrections, *merge.corrections]},
        rejected=built.rejected,
        there=built.there,
        span=span,
    )
    return Built(report, rows=built.rows, bad=built.bad, failed=built.failed)


class _Building:
    """What is told of the series besides their rows."""

    def __init__(self, work: MonthWork) -> None:
        self._work = work
        self.rows = 0
        self.sources: list[dict[str, object]] = []
        self.gaps: list[dict[str, object]] = []
        self.there: dict[str, list[Run]] = {}
        self.corrections: list[dict[str, object]] = []
        self.rejected: list[Rejected] = []
        self.bad: list[SourceLine] = []
        self.failed: dict[Series, SourceError] = {}
        self._failures = 0

    def take(self, found: SeriesMonth) -> None:
        """What was found of a series."""
        spec = self._work.spec
        self._failures = 0
        self.rows += found.rows.height
        read_at = max((line.fetched_at for line in found.sources), default=0)  # one time for all that belongs together
        lines = [replace(line, fetched_at=read_at) for line in found.sources]
        self.sources += [source_line(spec, line, done=found.done) for line in lines]
        self.bad += [line for line in found.sources if not line.verdict.is_well]
        self.rejected += found.rejected
        if spec.corrections is not None and found.corrections is not None:
            self.corrections += in_epoch_ms(found.corrections).to_dicts()
        self._work.fetched(found.rows.height)

    def note_gaps(self, found: SeriesMonth, rows: pl.DataFrame) -> None:
        """What the source misses is a gap where nobody else has brought it; what is there fills gaps known so far."""
        spec = self._work.spec
        if not isinstance(spec.gaps, GapRule):  # months are of time, and so are their gaps
            return
        step_ms = spec.gaps.step_ms(found.series)
        there = _runs(rows.select(spec.time_ms()).to_series().to_numpy(), step_ms=step_ms)
        left = without_rows(found.gaps, there, step_ms=step_ms)
        self.gaps += [gap_line(spec, found.series, gap) for gap in left]
        self.there[series_text(spec, found.series)] = there

    def fail(self, series: Series, error: SourceError) -> None:
        """A series could not be asked for.

        Raises:
            SourceError: this one, if it is one too many.
        """
        self.failed[series] = error
        self._failures += 1
        self._work.log.warning("%s %s is left for later: %s", " ".join(series), self._work.month, error)
        if self._failures >= MOST_FAILURES:
            raise error


def _warn_of_large(work: MonthWork, files: Sequence[HubFile]) -> None:
    for file in files:
        if file.size > work.most_file_bytes:
            work.log.warning(
                "%s has %d MB, more than the %d MB a file should have: readers that need one series of it fetch it all",
                *(file.path, file.size // 1_000_000, work.most_file_bytes // 1_000_000),
            )


def _in_order(
    work: MonthWork, series: Sequence[Series], held: HeldRows, built: _Building
) -> Iterator[tuple[str, SeriesMonth | None]]:
    """The series that are fetched or that the head has rows of, by name, each with what was found of it."""
    fetched = _fetched(work, series)
    following = next(fetched, None)
    while following is not None or held.next_series is not None:
        name = None if following is None else _name_of(work.spec, following[0])
        if name is None or (held.next_series is not None and held.next_series < name):
            yield str(held.next_series), None
            continue
        found = _outcome(following, built)
        following = next(fetched, None)
        yield name, found
    if series and len(built.failed) == len(series):
        raise next(iter(built.failed.values()))


def _outcome(asked: tuple[Series, Future[SeriesMonth]] | None, built: _Building) -> SeriesMonth | None:
    if asked is None:
        return None
    series, answer = asked
    try:
        found = answer.result()
    except SourceError as error:
        built.fail(series, error)
        return None
    built.take(found)
    return found


def _fetched(work: MonthWork, series: Sequence[Series]) -> Iterator[tuple[Series, Future[SeriesMonth]]]:
    """The series in order, each with its answer to come; a few are fetched ahead."""
    left, ahead = deque(series), deque[tuple[Series, Future[SeriesMonth]]]()
    at_once = work.source.at_once(work.group)
    with ThreadPoolExecutor(at_once, thread_name_prefix="history") as pool:
        try:
            while left or ahead:
                while left and len(ahead) < at_once:
                    one = left.popleft()
                    ahead.append((one, pool.submit(work.source.fetch, one, work.month)))
                yield ahead.popleft()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _runs(times: npt.NDArray[np.int64], *, step_ms: int) -> list[Run]:
    """Sorted times as runs on the grid; one off the grid counts for the step that covers it."""
    if not len(times):
        return []
    steps = times // step_ms
    ends = np.flatnonzero(np.diff(steps) > 1)
    first, last = steps[np.append(0, ends + 1)] * step_ms, steps[np.append(ends, len(steps) - 1)] * step_ms
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _name_of(spec: DatasetSpec, series: Series) -> str:
    """The value of the column that files are sorted by first."""
    return "" if spec.series is None else series[spec.series_columns.index(spec.series)]
