"""Gaps of a series with a row at every step, against a plain set of the rows that are there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datahub_assets.domain.gaps import (
    ASK_AGAIN_MS,
    TAIL_GRACE_MS,
    Cause,
    CoverageChange,
    GridCoverage,
    GridGap,
    arrive,
    asked,
    expected_until,
    extend,
    informed,
    quarantine,
    refused,
    refuted,
    relearned,
)
from datahub_assets.domain.times import HOUR_MS

STEP = HOUR_MS


def missing(coverage: GridCoverage) -> set[int]:
    return {slot for gap in coverage.gaps for slot in range(gap.first_time, gap.last_time + STEP, STEP)}


def open_lines(ledger: dict[int, GridGap]) -> set[int]:
    return missing(GridCoverage(0, 0, tuple(gap for gap in ledger.values() if gap.healed_at is None)))


def hours(*numbers: int) -> list[int]:
    return [number * STEP for number in numbers]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.lists(st.integers(-20, 20), max_size=6)),
        st.tuples(st.just("extend"), st.integers(-20, 25)),
        st.tuples(st.just("quarantine"), st.integers(-20, 20)),
        st.tuples(st.sampled_from(["silent", "answered", "refused"]), st.integers(0, 3)),
    ),
    max_size=12,
)


@given(STEPS)
def test_a_coverage_knows_exactly_which_candles_are_there(steps: list[tuple[str, object]]) -> None:
    there: set[int] = set()
    until: int | None = None
    coverage: GridCoverage | None = None
    ledger: dict[int, GridGap] = {}
    for now_ms, (what, value) in enumerate(steps, start=1):
        change = act(coverage, what, value, now_ms=now_ms)
        if what == "arrive":
            there |= {number * STEP for number in value}  # type: ignore[attr-defined]
        if change is None:
            continue
        coverage = change.coverage
        ledger |= {gap.first_time: gap for gap in change.lines}
        until = max(slot for slot in (*there, until, value * STEP if what == "extend" else None) if slot is not None)  # type: ignore[operator]

        expected = set(range(min(there), until + STEP, STEP))
        assert (coverage.first, coverage.until) == (min(there), until)
        assert missing(coverage) == expected - there
        assert [gap.first_time for gap in coverage.gaps] == sorted(gap.first_time for gap in coverage.gaps)
        assert all(gap.healed_at is None for gap in coverage.gaps)
        assert open_lines(ledger) == expected - there, "the ledger tells the same"


def act(coverage: GridCoverage | None, what: str, value: object, *, now_ms: int) -> CoverageChange | None:
    if what == "arrive":
        return arrive(coverage, hours(*value), step_ms=STEP, now_ms=now_ms)  # type: ignore[misc]
    if coverage is None:
        return None
    if what == "extend":
        return extend(coverage, value * STEP, step_ms=STEP, now_ms=now_ms)  # type: ignore[operator]
    if what == "quarantine":
        return quarantine(coverage, value * STEP, step_ms=STEP, now_ms=now_ms)  # type: ignore[operator]
    if not coverage.gaps:
        return None
    question = coverage.gaps[value % len(coverage.gaps)]  # type: ignore[operator]
    return (
        refused(coverage, question, now_ms=now_ms)
        if what == "refused"
        else asked(coverage, question, answered=what == "answered", now_ms=now_ms)
    )


def start(*numbers: int) -> GridCoverage:
    change = arrive(None, hours(*numbers), step_ms=STEP, now_ms=1)
    assert change is not None
    return change.coverage


def test_a_hole_is_a_gap_that_heals_in_parts() -> None:
    coverage = start(0, 5)
    assert [(gap.first_time, gap.last_time, gap.cause) for gap in coverage.gaps] == [
        (STEP, 4 * STEP, Cause.NOT_FETCHED)
    ]
    change = arrive(coverage, hours(2), step_ms=STEP, now_ms=9)
    assert change is not None
    assert [(gap.first_time // STEP, gap.last_time // STEP, gap.healed_at) for gap in change.lines] == [
        (1, 1, None),
        (2, 2, 9),
        (3, 4, None),
    ]
    assert {gap.first_seen for gap in change.lines} == {1}, "parts remember when the gap was seen first"


def test_a_candle_off_the_grid_counts_for_the_hour_that_covers_it() -> None:
    change = arrive(start(0, 2), [STEP + 28 * 60_000 + 14_789], step_ms=STEP, now_ms=2)
    assert change is not None
    assert change.coverage.gaps == ()


def test_silence_grows_one_gap_at_the_end_that_keeps_its_cause() -> None:
    coverage = extend(start(0), 2 * STEP, step_ms=STEP, now_ms=2).coverage
    coverage = asked(coverage, coverage.gaps[0], answered=False, now_ms=3).coverage
    assert [gap.cause for gap in coverage.gaps] == [Cause.EXCHANGE_HAD_NONE]
    coverage = extend(coverage, 4 * STEP, step_ms=STEP, now_ms=4).coverage
    assert [(gap.first_time // STEP, gap.last_time // STEP, gap.cause, gap.asks) for gap in coverage.gaps] == [
        (1, 4, Cause.EXCHANGE_HAD_NONE, 1)
    ]


@pytest.mark.parametrize(
    ("cause", "answered", "outcome"),
    [
        (Cause.NOT_FETCHED, False, Cause.EXCHANGE_HAD_NONE),
        (Cause.NOT_FETCHED, True, Cause.NOT_FETCHED),
        (Cause.QUARANTINED, True, Cause.QUARANTINED),
        (Cause.QUARANTINED, False, Cause.EXCHANGE_HAD_NONE),
        (Cause.EXCHANGE_HAD_NONE, True, Cause.EXCHANGE_HAD_NONE),
    ],
)
def test_what_an_answer_says_of_the_cause(cause: Cause, answered: bool, outcome: Cause) -> None:
    coverage = start(0, 2)
    coverage = replace(coverage, gaps=(replace(coverage.gaps[0], cause=cause),))
    after = asked(coverage, coverage.gaps[0], answered=answered, now_ms=7).coverage.gaps[0]
    assert (after.cause, after.asks, after.asked_at) == (outcome, 1, 7)


def test_a_question_the_exchange_refuses_waits_and_tells_nothing_of_the_cause() -> None:
    coverage = start(0, 2)
    after = refused(coverage, coverage.gaps[0], now_ms=7).coverage.gaps[0]
    assert (after.cause, after.asks, after.asked_at) == (Cause.NOT_FETCHED, 1, 7)


@pytest.mark.parametrize(
    ("first", "last", "healed_until"),
    [(1, 3, 3), (-1, 1, None), (8, 12, None), (4, 6, 4), (5, 6, None), (6, 8, None)],
    ids=["here", "older", "newer", "partly here", "missing here", "partly missing"],
)
def test_a_gap_others_told_of_is_closed_as_far_as_the_candles_are_here(
    first: int, last: int, healed_until: int | None
) -> None:
    ours = start(*range(5), *range(7, 10))  # 5 and 6 are missing
    told = GridGap(first * STEP, last * STEP, Cause.EXCHANGE_HAD_NONE, first_seen=1, updated_at=50, asks=3)
    healed = refuted(ours, told, step_ms=STEP, now_ms=9)
    if healed_until is None:
        assert healed is None
    else:
        assert healed == replace(told, last_time=healed_until * STEP, healed_at=9, updated_at=51)


GAPS_TOLD = st.lists(
    st.tuples(st.integers(-3, 12), st.integers(0, 4), st.sampled_from(list(Cause)), st.booleans()), max_size=4
)


@given(st.sets(st.integers(0, 10), min_size=2), GAPS_TOLD)
def test_what_others_told_of_rows_that_are_missing_here_is_taken_over(
    there: set[int], told: list[tuple[int, int, Cause, bool]]
) -> None:
    ours = start(*sorted(there))
    others = [
        GridGap(
            first * STEP,
            (first + more) * STEP,
            cause,
            first_seen=1,
            updated_at=5,
            asks=3,
            healed_at=4 if healed else None,
        )
        for first, more, cause, healed in told
    ]
    change = informed(ours, others, step_ms=STEP, now_ms=9)
    assert missing(change.coverage) == missing(ours)
    for gap in change.coverage.gaps:
        for slot in range(gap.first_time, gap.last_time + STEP, STEP):
            causes = {one.cause for one in others if one.healed_at is None and one.first_time <= slot <= one.last_time}
            assert gap.cause in (causes or {Cause.NOT_FETCHED})
            assert gap.asks == (3 if causes else 0)
    ledger = {gap.first_time: gap for gap in (*ours.gaps, *change.lines)}
    assert tuple(sorted(ledger.values(), key=lambda gap: gap.first_time)) == change.coverage.gaps


def test_what_we_know_ourselves_of_a_gap_counts_more_than_what_others_told() -> None:
    ours = asked(start(0, 3), start(0, 3).gaps[0], answered=False, now_ms=7).coverage
    told = GridGap(STEP, STEP, Cause.QUARANTINED, first_seen=1, updated_at=50)
    assert informed(ours, [told], step_ms=STEP, now_ms=9) == CoverageChange(ours)


def test_a_quarantined_candle_splits_the_gap_around_it() -> None:
    gaps = quarantine(start(0, 4), 2 * STEP, step_ms=STEP, now_ms=2).coverage.gaps
    assert [(gap.first_time // STEP, gap.last_time // STEP, gap.cause) for gap in gaps] == [
        (1, 1, Cause.NOT_FETCHED),
        (2, 2, Cause.QUARANTINED),
        (3, 3, Cause.NOT_FETCHED),
    ]


def test_questions_become_rarer() -> None:
    gap = start(0, 2).gaps[0]
    assert gap.due(now_ms=0)
    for asks, pause_ms in enumerate([*ASK_AGAIN_MS[1:], ASK_AGAIN_MS[-1]], start=1):
        tried = replace(gap, asks=asks, asked_at=1000)
        assert not tried.due(now_ms=1000 + pause_ms - 1)
        assert tried.due(now_ms=1000 + pause_ms)


def test_a_candle_is_expected_a_while_after_it_closed() -> None:
    closed_at = 5 * STEP
    assert expected_until(STEP, now_ms=closed_at + TAIL_GRACE_MS - 1) == 3 * STEP
    assert expected_until(STEP, now_ms=closed_at + TAIL_GRACE_MS) == 4 * STEP


@given(
    st.sets(st.integers(-20, -1), min_size=1),
    st.lists(st.sets(st.integers(-25, 3), max_size=8), max_size=5),
)
def test_gaps_of_a_time_before_the_rows_that_are_left_are_never_told_twice(
    gone: set[int], arrivals: list[set[int]]
) -> None:
    """History comes anew, from any side: what is open is exactly what is missing, and what was told keeps its story."""
    told = tuple(
        GridGap(number * STEP, number * STEP, Cause.EXCHANGE_HAD_NONE, first_seen=1, updated_at=2, asked_at=2, asks=3)
        for number in sorted(gone)
    )
    coverage, there = GridCoverage(0, 5 * STEP, told), set(range(6))
    for now_ms, numbers in enumerate(arrivals, start=10):
        change = arrive(coverage, hours(*numbers), step_ms=STEP, now_ms=now_ms)
        assert change is not None
        coverage, there = change.coverage, there | numbers
        expected = set(range(min(there), 6)) - there | gone - there
        found = [slot for gap in coverage.gaps for slot in range(gap.first_time, gap.last_time + STEP, STEP)]
        assert found == [number * STEP for number in sorted(expected)]
        assert all(gap.asks == 3 for gap in coverage.gaps if gap.first_time // STEP in gone)


def gap(first: int, last: int, cause: Cause, *, updated_at: int) -> GridGap:
    return GridGap(first * STEP, last * STEP, cause, first_seen=1, updated_at=updated_at)


def in_runs(numbers: set[int]) -> list[tuple[int, int]]:
    firsts = sorted(number for number in numbers if number - 1 not in numbers)
    return [(first, next(n for n in range(first, 99) if n + 1 not in numbers)) for first in firsts]


CAUSES = st.dictionaries(st.integers(0, 15), st.sampled_from(list(Cause)), max_size=10)


@given(CAUSES, st.sets(st.integers(4, 12)), CAUSES)
def test_a_time_that_is_read_anew_fills_gaps_and_tells_of_others_once(
    known: dict[int, Cause], there: set[int], told: dict[int, Cause]
) -> None:
    told = {number: cause for number, cause in told.items() if 4 <= number <= 12 and number not in there}
    ours = [
        gap(first, last, cause, updated_at=50)
        for cause in Cause
        for first, last in in_runs({number for number, one in known.items() if one is cause})
    ]
    theirs = [
        gap(first, last, cause, updated_at=40)
        for cause in Cause
        for first, last in in_runs({number for number, one in told.items() if one is cause})
    ]
    runs = [(first * STEP, last * STEP) for first, last in in_runs(there)]
    ledger = {one.first_time: one for one in ours}
    for line in relearned(ours, theirs, runs, step_ms=STEP, now_ms=30):
        before = ledger.get(line.first_time)
        assert before is None or line.updated_at > before.updated_at, "of two lines the later counts"
        ledger[line.first_time] = line
    left = [one for one in ledger.values() if one.healed_at is None]
    slots = [slot // STEP for one in left for slot in range(one.first_time, one.last_time + STEP, STEP)]
    assert sorted(slots) == sorted((known.keys() - there) | told.keys()), "each row that is missing, once"
    causes = {n: one.cause for one in left for n in range(one.first_time // STEP, one.last_time // STEP + 1)}
    for number, cause in causes.items():
        mine = known.get(number, Cause.NOT_FETCHED)
        assert cause is (told.get(number, mine) if mine is Cause.NOT_FETCHED else mine)
    assert relearned(left, theirs, runs, step_ms=STEP, now_ms=31) == ()
