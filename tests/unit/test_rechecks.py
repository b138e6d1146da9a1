"""Turns of being asked for again: each comes, about once an hour, however ticks fall and whatever fails."""

import random
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

import pytest

from datahub_assets.domain.rechecks import Recheck, due
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS

START_MS = 1_763_985_600_000
NIGHT_MS = 10 * HOUR_MS


class Ticks:
    """Ticks of so many series, and when each had its turn; those in `silent` never answer."""

    def __init__(self, count: int, *, silent: Iterable[int] = ()) -> None:
        self.series = [(f"S{number}", "1h") for number in range(count)]
        self.silent = {self.series[number] for number in silent}
        self.known: dict[tuple[str, ...], Recheck] = {}
        self.turns: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self.most = 0

    def at(self, times: Iterable[int]) -> None:
        for now_ms in times:
            turns = due(self.series, self.known, every_ms=HOUR_MS, tick_ms=MINUTE_MS, now_ms=now_ms)
            self.most = max(self.most, len(turns))
            for one in turns:
                told = self.known.get(one)
                done_at = now_ms if one not in self.silent else told.done_at if told else None
                self.known[one] = Recheck(now_ms, done_at)
                self.turns[one].append(now_ms)

    def longest_wait_ms(self, *, until_ms: int) -> int:
        """The longest time without a turn of any series that answers, from the start on."""
        return max(
            after - before
            for one in self.series
            if one not in self.silent
            for times in [[START_MS, *self.turns[one], until_ms]]
            for before, after in pairwise(times)
        )


@pytest.mark.parametrize("count", [2, 61, 3000])
@pytest.mark.parametrize("every", [1, 5], ids=["all ticks", "four of five are missed"])
def test_each_series_has_its_turn_about_once_an_hour(count: int, every: int) -> None:
    ticks, until_ms = Ticks(count), START_MS + 4 * HOUR_MS
    chance = random.Random(0)  # noqa: S311 - no secret
    ticks.at(now for now in range(START_MS, until_ms, MINUTE_MS) if chance.random() < 1 / every)
    assert ticks.longest_wait_ms(until_ms=until_ms) <= HOUR_MS * (1.05 if every == 1 else 1.75)
    assert max(map(len, ticks.turns.values())) <= 4, "no more often than that"
    assert ticks.most <= -(-count // (60 if every == 1 else 6)), "never all at once"


@pytest.mark.parametrize("count", [2, 3000])
def test_after_a_night_all_have_their_turn_within_an_hour_and_not_at_once(count: int) -> None:
    ticks = Ticks(count)
    ticks.at(range(START_MS, START_MS + HOUR_MS, MINUTE_MS))
    ticks.most, morning = 0, START_MS + NIGHT_MS
    ticks.at(range(morning, morning + HOUR_MS, MINUTE_MS))
    assert ticks.most <= -(-count // 6)
    assert {sum(turn >= morning for turn in ticks.turns[one]) for one in ticks.series} == {1}


def test_the_longest_waiting_come_first() -> None:
    series = [(f"S{number}",) for number in range(120)]
    known: dict[tuple[str, ...], Recheck] = {one: Recheck(number, number) for number, one in enumerate(series)}
    del known[series[7]]
    turns = due(reversed(series), known, every_ms=HOUR_MS, tick_ms=MINUTE_MS, now_ms=HOUR_MS + 200)
    assert turns == [series[7], *series[:7], *series[8:20]], "as many as have their turn in ten minutes"


def test_series_that_never_answer_keep_no_other_from_its_turn() -> None:
    ticks, until_ms = Ticks(120, silent=range(0, 120, 3)), START_MS + 4 * HOUR_MS
    ticks.at(range(START_MS, until_ms, MINUTE_MS))
    assert ticks.longest_wait_ms(until_ms=until_ms) <= HOUR_MS * 1.1


def test_a_clock_that_was_ahead_puts_nothing_off() -> None:
    known: dict[tuple[str, ...], Recheck] = {("S0",): Recheck(START_MS + NIGHT_MS, START_MS + NIGHT_MS)}
    assert due([("S0",)], known, every_ms=HOUR_MS, tick_ms=MINUTE_MS, now_ms=START_MS) == [("S0",)]
