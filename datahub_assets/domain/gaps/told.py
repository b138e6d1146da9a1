"""Gaps somebody else told of (another installation, the Hub's ledger, an earlier cache), against what our rows show.

Rows show which are missing. Why, since when and how often upstream was asked, only those know who saw it.
"""

from collections.abc import Iterable
from dataclasses import replace

from datahub_assets.domain.gaps.grid import (
    Cause,
    CoverageChange,
    GridCoverage,
    GridGap,
    are_apart,
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
