"""Which candles of a series are missing: found from the candles that arrive, without scanning history.

A `CandleCoverage` (first candle, last expected one, open gaps between) says exactly which candles are there; each
arrival, each passing hour and each answer of the exchange turns it into the next one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

TAIL_GRACE_MS: Final = 10 * MINUTE_MS
"""A candle counts as missing this long after it closed, so that the wait for the next tick is no gap."""

ASK_AGAIN_MS: Final = (0, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS)
"""Pause before the next question about a gap, by how often it was asked already; the last one goes on for ever."""


class Cause(StrEnum):
    """Why candles are missing, as far as is known."""

    NOT_FETCHED = "not_fetched"
    EXCHANGE_HAD_NONE = "exchange_had_none"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class CandleGap:
    """Missing candles in a row; all times are open times or moments in epoch ms.

    Attributes:
        first_time, last_time: open times of the first and the last missing candle, on the interval's grid.
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

    def candles(self, interval: Interval) -> int:
        """How many candles are missing."""
        return (self.last_time - self.first_time) // interval.length_ms + 1

    def due(self, *, now_ms: int) -> bool:
        """Whether it is time to ask the exchange (again)."""
        pause = ASK_AGAIN_MS[min(self.asks, len(ASK_AGAIN_MS) - 1)]
        return self.asked_at is None or now_ms >= self.asked_at + pause


@dataclass(frozen=True, slots=True)
class CandleCoverage:
    """Which closed candles a series has: all on the grid from `first` to `until` but the open `gaps`, sorted.

    Gaps before `first` are of history that the series had and is to be filled with anew.
    """

    first: int
    until: int
    gaps: tuple[CandleGap, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """A coverage after something happened, and the gaps (open or healed) whose lines in the ledger changed."""

    coverage: CandleCoverage
    lines: tuple[CandleGap, ...] = ()


def expected_until(interval: Interval, *, now_ms: int) -> int:
    """Open time of the last candle that should be known at `now_ms`."""
    return interval.floor(now_ms - TAIL_GRACE_MS) - interval.length_ms


def arrive(
    coverage: CandleCoverage | None, open_times: Iterable[int], *, interval: Interval, now_ms: int
) -> CoverageChange | None:
    """Closed candles came: they extend the series at either end, opening gaps where some are skipped, or heal gaps.

    Open times off the grid (outages cut candles) count for the grid's candle that covers them.
    Returns None when there is neither a coverage nor a candle.
    """
    slots = sorted({interval.floor(time) for time in open_times})
    if not slots:
        return None if coverage is None else CoverageChange(coverage)
    if coverage is None:
        opened = _opened(slots, interval=interval, now_ms=now_ms)
        return CoverageChange(CandleCoverage(first=slots[0], until=slots[-1], gaps=opened), opened)
    below = [slot for slot in slots if slot < coverage.first]
    above = [slot for slot in slots if slot > coverage.until]
    inside = slots[len(below) : len(slots) - len(above)]
    kept, lines = _healed(coverage.gaps, [*below, *inside], interval=interval, now_ms=now_ms)
    early = _opened_below(below, coverage.first, told=kept, interval=interval, now_ms=now_ms)
    gaps = tuple(sorted((*early, *kept), key=lambda gap: gap.first_time))
    current = CoverageChange(CandleCoverage(min(slots[0], coverage.first), coverage.until, gaps), (*early, *lines))
    if not above:
        return current
    reached = extend(current.coverage, above[0] - interval.length_ms, interval=interval, now_ms=now_ms)
    late = _opened(above, interval=interval, now_ms=now_ms)
    whole = replace(reached.coverage, until=above[-1], gaps=(*reached.coverage.gaps, *late))
    return CoverageChange(whole, (*current.lines, *reached.lines, *late))


def extend(coverage: CandleCoverage, until: int, *, interval: Interval, now_ms: int) -> CoverageChange:
    """Time passed: candles up to open time `until` are expected now. What did not come is a gap at the end."""
    if until <= coverage.until:
        return CoverageChange(coverage)
    begin = coverage.until + interval.length_ms
    last = coverage.gaps[-1] if coverage.gaps else None
    if last is not None and last.last_time == coverage.until and last.cause is not Cause.QUARANTINED:
        # The same silence goes on, for the same cause: each tick asks for the end of the series anyway.
        gap = _updated(last, now_ms=now_ms, last_time=until)
        return CoverageChange(replace(coverage, until=until, gaps=(*coverage.gaps[:-1], gap)), (gap,))
    gap = CandleGap(begin, until, Cause.NOT_FETCHED, first_seen=now_ms, updated_at=now_ms)
    return CoverageChange(replace(coverage, until=until, gaps=(*coverage.gaps, gap)), (gap,))


def asked(coverage: CandleCoverage, question: CandleGap, *, answered: bool, now_ms: int) -> CoverageChange:
    """The exchange was asked for a gap. Without an answer the candles do not exist there; what arrived, healed before.

    Args:
        answered: whether it sent any candle of the gap, good or bad.
    """
    lines = []
    gaps = []
    for gap in coverage.gaps:
        if _apart(gap, question):
            gaps.append(gap)
            continue
        cause = Cause.EXCHANGE_HAD_NONE
        if answered:  # it does have some, so what it was silent about before is open again
            cause = Cause.NOT_FETCHED if gap.cause is Cause.EXCHANGE_HAD_NONE else gap.cause
        lines.append(_updated(gap, now_ms=now_ms, cause=cause, asked_at=now_ms, asks=gap.asks + 1))
        gaps.append(lines[-1])
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def refused(coverage: CandleCoverage, question: CandleGap, *, now_ms: int) -> CoverageChange:
    """The exchange does not answer a question. It is asked more rarely from now on; nothing is known of the cause."""
    gaps = []
    lines = []
    for gap in coverage.gaps:
        if _apart(gap, question):
            gaps.append(gap)
            continue
        lines.append(_updated(gap, now_ms=now_ms, asked_at=now_ms, asks=gap.asks + 1))
        gaps.append(lines[-1])
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def _apart(gap: CandleGap, other: CandleGap) -> bool:
    """Whether the two have no candle in common."""
    return gap.first_time > other.last_time or gap.last_time < other.first_time


def quarantine(coverage: CandleCoverage, open_time: int, *, interval: Interval, now_ms: int) -> CoverageChange:
    """A candle came and failed its check, after anything else that is known: where it is missing, that is the cause."""
    slot = interval.floor(open_time)
    step = interval.length_ms
    gaps: list[CandleGap] = []
    lines: list[CandleGap] = []
    for gap in coverage.gaps:
        if gap.cause is Cause.QUARANTINED or not gap.first_time <= slot <= gap.last_time:
            gaps.append(gap)
            continue
        parts = [
            _updated(gap, now_ms=now_ms, last_time=slot - step),
            _updated(gap, now_ms=now_ms, first_time=slot, last_time=slot, cause=Cause.QUARANTINED),
            _updated(gap, now_ms=now_ms, first_time=slot + step),
        ]
        parts = [part for part in parts if part.first_time <= part.last_time]
        gaps.extend(parts)
        lines.extend(parts)
    return CoverageChange(replace(coverage, gaps=tuple(gaps)), tuple(lines))


def refuted(coverage: CandleCoverage, told: CandleGap, *, interval: Interval, now_ms: int) -> CandleGap | None:
    """What becomes of an open gap somebody else told of, by what we have; None: it is ours as well, or older than we.

    Returns:
        the gap healed, up to the first candle that we miss too (from there on it is a gap of ours).
    """
    if told.first_time < coverage.first or told.last_time > coverage.until:
        return None
    ours = next((gap for gap in coverage.gaps if not _apart(gap, told)), None)
    if ours is None:
        return _updated(told, now_ms=now_ms, healed_at=now_ms)
    if ours.first_time <= told.first_time:
        return None
    return _updated(told, now_ms=now_ms, healed_at=now_ms, last_time=ours.first_time - interval.length_ms)


def _updated(gap: CandleGap, *, now_ms: int, **changes: Any) -> CandleGap:
    """A changed gap. Its stamp always moves on, even for a fetch taken in late: of two lines the later counts."""
    return replace(gap, updated_at=max(now_ms, gap.updated_at + 1), **changes)


def _opened(slots: Sequence[int], *, interval: Interval, now_ms: int) -> tuple[CandleGap, ...]:
    """A gap for each place where successive candles are more than one step apart."""
    step = interval.length_ms
    return tuple(
        CandleGap(before + step, after - step, Cause.NOT_FETCHED, first_seen=now_ms, updated_at=now_ms)
        for before, after in pairwise(slots)
        if after - before > step
    )


def _opened_below(
    below: Sequence[int], first: int, *, told: Sequence[CandleGap], interval: Interval, now_ms: int
) -> tuple[CandleGap, ...]:
    """What is missing between candles before the series' first one, and that one: only what was not reported yet."""
    if not below:
        return ()
    step = interval.length_ms
    slots = {slot for gap in told for slot in range(gap.first_time, min(gap.last_time + step, first), step)}
    known = {slot for slot in slots if slot > below[0]}
    return _opened(sorted({*below, *known, first}), interval=interval, now_ms=now_ms)


def _healed(
    gaps: tuple[CandleGap, ...], slots: Sequence[int], *, interval: Interval, now_ms: int
) -> tuple[tuple[CandleGap, ...], tuple[CandleGap, ...]]:
    """The gaps that stay open, and all lines that changed: a gap splits into what came and what is still missing."""
    kept: list[CandleGap] = []
    lines: list[CandleGap] = []
    for gap in gaps:
        came = {slot for slot in slots if gap.first_time <= slot <= gap.last_time}
        if not came:
            kept.append(gap)
            continue
        for first, last, present in _runs(gap, came, step=interval.length_ms):
            healed_at = now_ms if present else None
            lines.append(_updated(gap, now_ms=now_ms, first_time=first, last_time=last, healed_at=healed_at))
            if not present:
                kept.append(lines[-1])
    return tuple(kept), tuple(lines)


def _runs(gap: CandleGap, came: set[int], *, step: int) -> Iterator[tuple[int, int, bool]]:
    """The gap's candles as runs (first, last, whether they came)."""
    start = gap.first_time
    for slot in range(gap.first_time, gap.last_time + step, step):
        following = slot + step
        if following > gap.last_time or (following in came) is not (slot in came):
            yield start, slot, slot in came
            start = following
