"""Gaps somebody else told of (another installation, the Hub's ledger, an earlier cache), against what our rows show.

Rows show which are missing. Why, since when and how often upstream was asked, only those know who saw it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from datahub_assets.domain.gaps.grid import (
    Cause,
    CoverageChange,
    GridCoverage,
    GridGap,
    are_apart,
    heal,
    updated,
)


def refuted(coverage: GridCoverage, told: GridGap, *, step_ms: int, now_ms: int) -> GridGap | None:
    """What becomes of an open gap somebody else told of, by what we have; None: it is ours as well, or older than we.

    Returns:
        the gap healed, up to the first row that we miss too (from there on it is a gap of ours).
    """
    if told.first_time < coverage.first or told.last_time > coverage.until:
        return None
    ours = next((gap for gap in coverage.gaps if not are_apart(gap, told)), None)
    if ours is None:
        return updated(told, now_ms=now_ms, healed_at=now_ms)
    if ours.first_time <= told.first_time:
        return None
    return updated(told, now_ms=now_ms, healed_at=now_ms, last_time=ours.first_time - step_ms)


def informed(coverage: GridCoverage, told: Iterable[GridGap], *, step_ms: int, now_ms: int) -> CoverageChange:
    """What others told of our open gaps, where we do not know the cause ourselves: a gap is split by what was told."""
    told = sorted((gap for gap in told if gap.healed_at is None), key=lambda gap: gap.first_time)
    gaps: list[GridGap] = []
    lines: list[GridGap] = []
    for gap in coverage.gaps:
        parts = [gap] if gap.cause is not Cause.NOT_FETCHED else _parts(gap, told, step_ms=step_ms, now_ms=now_ms)
        gaps.extend(parts)
        lines.extend(part for part in parts if part != gap)
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


Run = tuple[int, int]
"""Rows that follow each other on the grid: the times of the first and the last one."""


def came_within(gaps: Iterable[GridGap], runs: Iterable[Run], *, step_ms: int) -> set[int]:
    """The times at which the gaps have a row now."""
    runs = sorted(runs)
    return {
        time
        for gap in gaps
        for first, last in runs
        if first <= gap.last_time and last >= gap.first_time
        for time in range(max(first, gap.first_time), min(last, gap.last_time) + step_ms, step_ms)
    }


def relearned(
    known: Sequence[GridGap], told: Iterable[GridGap], there: Sequence[Run], *, step_ms: int, now_ms: int
) -> tuple[GridGap, ...]:
    """The lines of a ledger that change when somebody has read a time of a series anew. Said again, none does.

    What came heals. Of what is still missing a cause is taken over where none was known; what nobody had missed so far
    is a gap from now on.

    Args:
        known: the open gaps of the ledger.        told: what is missing by the new reading.
        there: the rows there are now.
    """
    told = sorted(told, key=lambda gap: gap.first_time)
    now_ms = max([now_ms, *(gap.updated_at + 1 for gap in known)])
    came = came_within(known, there, step_ms=step_ms)
    left, lines = heal(known, came, step_ms=step_ms, now_ms=now_ms)
    healed = [line for line in lines if line.healed_at is not None]
    causes = [gap for gap in told if gap.cause is not Cause.NOT_FETCHED]
    current = informed(GridCoverage(0, 0, left), causes, step_ms=step_ms, now_ms=now_ms).coverage.gaps
    changed = [updated(gap, now_ms=now_ms) for gap in current if gap not in known]
    fresh = without_rows(told, [(gap.first_time, gap.last_time) for gap in left], step_ms=step_ms)
    return (*healed, *changed, *fresh)


def without_rows(gaps: Iterable[GridGap], runs: Iterable[Run], *, step_ms: int) -> tuple[GridGap, ...]:
    """What is left of gaps without these of their rows."""
    runs = sorted(runs)
    return tuple(part for gap in gaps for part in _without(gap, runs, step_ms=step_ms))


def _without(gap: GridGap, runs: Sequence[Run], *, step_ms: int) -> Iterator[GridGap]:
    start = gap.first_time
    for first, last in runs:
        if first > gap.last_time or last < start:
            continue
        if start < first:
            yield replace(gap, first_time=start, last_time=first - step_ms)
        start = last + step_ms
    if start <= gap.last_time:
        yield replace(gap, first_time=start)


def _parts(gap: GridGap, told: Iterable[GridGap], *, step_ms: int, now_ms: int) -> list[GridGap]:
    """The gap in pieces, each with what was told of it; `told` is sorted."""
    parts = []
    start = gap.first_time
    for one in told:
        first, last = max(start, one.first_time), min(gap.last_time, one.last_time)
        if first > last:
            continue
        if start < first:
            parts.append(_cut(gap, start, first - step_ms, now_ms=now_ms))
        parts.append(_cut(one, first, last, now_ms=now_ms))
        start = last + step_ms
    if start <= gap.last_time:
        parts.append(_cut(gap, start, gap.last_time, now_ms=now_ms))
    return parts


def _cut(gap: GridGap, first: int, last: int, *, now_ms: int) -> GridGap:
    if (gap.first_time, gap.last_time) == (first, last):
        return gap
    return updated(gap, now_ms=now_ms, first_time=first, last_time=last)
