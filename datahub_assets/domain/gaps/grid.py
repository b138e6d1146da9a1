"""Which rows of a series are missing: found from the rows that arrive, without scanning history.

For series with a row at every step of a grid that starts at the epoch; a step is given in ms. Where rows go by number,
numbers take the place of times, and the step is 1. A `GridCoverage` (first row, last expected one, open gaps between)
says exactly which rows are there; each arrival, each passing step and each answer of upstream turns it into the next
one.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

TAIL_GRACE_MS: Final = 10 * MINUTE_MS
"""A row counts as missing this long after its step ended, so that the wait for the next tick is no gap."""

ASK_AGAIN_MS: Final = (0, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS)
"""Pause before the next question about a gap, by how often it was asked already; the last one goes on for ever."""


class Cause(StrEnum):
    """Why rows are missing, as far as is known."""

    NOT_FETCHED = "not_fetched"
    EXCHANGE_HAD_NONE = "exchange_had_none"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class GridGap:
    """Missing rows that follow each other; all times are epoch ms.

    Attributes:
        first_time, last_time: times of the first and the last missing row, on the grid; their numbers where rows go by
            number.
        healed_at: when they arrived after all; None while they are missing.
    """

    first_time: int
    last_time: int
    cause: Cause
    first_seen: int
    updated_at: int
    asked_at: int | None = None
    asks: int = 0
    healed_at: int | None = None

    def missing(self, step_ms: int) -> int:
        """How many rows are missing."""
        return (self.last_time - self.first_time) // step_ms + 1

    def due(self, *, now_ms: int) -> bool:
        """Whether it is time to ask upstream (again)."""
        pause = ASK_AGAIN_MS[min(self.asks, len(ASK_AGAIN_MS) - 1)]
        return self.asked_at is None or now_ms >= self.asked_at + pause


@dataclass(frozen=True, slots=True)
class GridCoverage:
    """Which final rows a series has: all on the grid from `first` to `until` but the open `gaps`, sorted.

    Gaps before `first` are of history that the series had and is to be filled with anew.
    """

    first: int
    until: int
    gaps: tuple[GridGap, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """A coverage after something happened, and the gaps (open or healed) whose lines in the ledger changed."""

    coverage: GridCoverage
    lines: tuple[GridGap, ...] = ()


def floor(time_ms: int, step_ms: int) -> int:
    """The step that covers a time."""
    return time_ms - time_ms % step_ms


def expected_until(step_ms: int, *, now_ms: int) -> int:
    """Time of the last row that should be known at `now_ms`."""
    return floor(now_ms - TAIL_GRACE_MS, step_ms) - step_ms


def arrive(coverage: GridCoverage | None, times: Iterable[int], *, step_ms: int, now_ms: int) -> CoverageChange | None:
    """Final rows came: they extend the series at either end, opening gaps where some are skipped, or heal gaps.

    Times off the grid (as where an outage cut a row short) count for the step that covers them.
    Returns None when there is neither a coverage nor a row.
    """
    slots = sorted({floor(time, step_ms) for time in times})
    if not slots:
        return None if coverage is None else CoverageChange(coverage)
    if coverage is None:
        opened = _opened(slots, step_ms=step_ms, now_ms=now_ms)
        return CoverageChange(GridCoverage(first=slots[0], until=slots[-1], gaps=opened), opened)
    below = [slot for slot in slots if slot < coverage.first]
    above = [slot for slot in slots if slot > coverage.until]
    inside = slots[len(below) : len(slots) - len(above)]
    kept, lines = heal(coverage.gaps, [*below, *inside], step_ms=step_ms, now_ms=now_ms)
    early = _opened_below(below, coverage.first, told=kept, step_ms=step_ms, now_ms=now_ms)
    gaps = tuple(sorted((*early, *kept), key=lambda gap: gap.first_time))
    current = CoverageChange(GridCoverage(min(slots[0], coverage.first), coverage.until, gaps), (*early, *lines))
    if not above:
        return current
    reached = extend(current.coverage, above[0] - step_ms, step_ms=step_ms, now_ms=now_ms)
    late = _opened(above, step_ms=step_ms, now_ms=now_ms)
    whole = replace(reached.coverage, until=above[-1], gaps=(*reached.coverage.gaps, *late))
    return CoverageChange(whole, (*current.lines, *reached.lines, *late))


def extend(coverage: GridCoverage, until: int, *, step_ms: int, now_ms: int) -> CoverageChange:
    """Time passed: rows up to the time `until` are expected now. What did not come is a gap at the end."""
    if until <= coverage.until:
        return CoverageChange(coverage)
    begin = coverage.until + step_ms
    last = coverage.gaps[-1] if coverage.gaps else None
    if last is not None and last.last_time == coverage.until and last.cause is not Cause.QUARANTINED:
        # The same silence goes on, for the same cause: each tick asks for the end of the series anyway.
        gap = updated(last, now_ms=now_ms, last_time=until)
        return CoverageChange(replace(coverage, until=until, gaps=(*coverage.gaps[:-1], gap)), (gap,))
    gap = GridGap(begin, until, Cause.NOT_FETCHED, first_seen=now_ms, updated_at=now_ms)
    return CoverageChange(replace(coverage, until=until, gaps=(*coverage.gaps, gap)), (gap,))


def asked(coverage: GridCoverage, question: GridGap, *, answered: bool, now_ms: int) -> CoverageChange:
    """Upstream was asked for a gap. Without an answer the rows do not exist there.

    With one the cause stays as it is: what came is taken in later and heals, or is the quarantine's to tell, and why it
    was missing until then is what the healed line says.

    Args:
        answered: whether it sent any row of the gap, good or bad.
    """
    lines = []
    gaps = []
    for gap in coverage.gaps:
        if are_apart(gap, question):
            gaps.append(gap)
            continue
        cause = gap.cause if answered else Cause.EXCHANGE_HAD_NONE
        lines.append(updated(gap, now_ms=now_ms, cause=cause, asked_at=now_ms, asks=gap.asks + 1))
        gaps.append(lines[-1])
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def refused(coverage: GridCoverage, question: GridGap, *, now_ms: int) -> CoverageChange:
    """Upstream does not answer a question. It is asked more rarely from now on; nothing is known of the cause."""
    gaps = []
    lines = []
    for gap in coverage.gaps:
        if are_apart(gap, question):
            gaps.append(gap)
            continue
        lines.append(updated(gap, now_ms=now_ms, asked_at=now_ms, asks=gap.asks + 1))
        gaps.append(lines[-1])
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def are_apart(gap: GridGap, other: GridGap) -> bool:
    """Whether the two have no row in common."""
    return gap.first_time > other.last_time or gap.last_time < other.first_time


def quarantine(coverage: GridCoverage, time_ms: int, *, step_ms: int, now_ms: int) -> CoverageChange:
    """A row came and failed its check, after anything else that is known: where it is missing, that is the cause."""
    slot = floor(time_ms, step_ms)
    gaps: list[GridGap] = []
    lines: list[GridGap] = []
    for gap in coverage.gaps:
        if gap.cause is Cause.QUARANTINED or not gap.first_time <= slot <= gap.last_time:
            gaps.append(gap)
            continue
        parts = [
            updated(gap, now_ms=now_ms, last_time=slot - step_ms),
            updated(gap, now_ms=now_ms, first_time=slot, last_time=slot, cause=Cause.QUARANTINED),
            updated(gap, now_ms=now_ms, first_time=slot + step_ms),
        ]
        parts = [part for part in parts if part.first_time <= part.last_time]
        gaps.extend(parts)
        lines.extend(parts)
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def heal(
    gaps: Sequence[GridGap], slots: Collection[int], *, step_ms: int, now_ms: int
) -> tuple[tuple[GridGap, ...], tuple[GridGap, ...]]:
    """Rows came at these slots: the gaps that stay open, and all lines that changed.

    A gap splits into what came and what is still missing.
    """
    kept: list[GridGap] = []
    lines: list[GridGap] = []
    for gap in gaps:
        came = {slot for slot in slots if gap.first_time <= slot <= gap.last_time}
        if not came:
            kept.append(gap)
            continue
        for first, last, present in _runs(gap, came, step_ms=step_ms):
            healed_at = now_ms if present else None
            lines.append(updated(gap, now_ms=now_ms, first_time=first, last_time=last, healed_at=healed_at))
            if not present:
                kept.append(lines[-1])
    return tuple(kept), tuple(lines)


def updated(gap: GridGap, *, now_ms: int, **changes: Any) -> GridGap:
    """A changed gap. Its stamp always moves on, even for a fetch taken in late: of two lines the later counts."""
    return replace(gap, updated_at=max(now_ms, gap.updated_at + 1), **changes)


def _opened(slots: Sequence[int], *, step_ms: int, now_ms: int) -> tuple[GridGap, ...]:
    """A gap for each place where successive rows are more than one step apart."""
    return tuple(
        GridGap(before + step_ms, after - step_ms, Cause.NOT_FETCHED, first_seen=now_ms, updated_at=now_ms)
        for before, after in pairwise(slots)
        if after - before > step_ms
    )


def _opened_below(
    below: Sequence[int], first: int, *, told: Sequence[GridGap], step_ms: int, now_ms: int
) -> tuple[GridGap, ...]:
    """What is missing between rows before the series' first one, and that one: only what was not reported yet."""
    if not below:
        return ()
    slots = {slot for gap in told for slot in range(gap.first_time, min(gap.last_time + step_ms, first), step_ms)}
    known = {slot for slot in slots if slot > below[0]}
    return _opened(sorted({*below, *known, first}), step_ms=step_ms, now_ms=now_ms)


def _runs(gap: GridGap, came: set[int], *, step_ms: int) -> Iterator[tuple[int, int, bool]]:
    """The gap's rows as runs (first, last, whether they came)."""
    start = gap.first_time
    for slot in range(gap.first_time, gap.last_time + step_ms, step_ms):
        following = slot + step_ms
        if following > gap.last_time or (following in came) is not (slot in came):
            yield start, slot, slot in came
            start = following
