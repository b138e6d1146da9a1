"""Contestants take turns, so that a disturbance of the machine meets all of them; what is timed is the caller's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.contestant import Contestant
from benchmarks.load import Load, run

Measure = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look: rounds of alternation, seconds of load per turn, commits, ticks and answers counted."""

    rounds: int
    load_s: float
    bulk_answers: int
    commits: int
    ticks: int


FULL: Final = Effort(rounds=7, load_s=4.0, bulk_answers=12, commits=15, ticks=12)
QUICK: Final = Effort(rounds=3, load_s=1.0, bulk_answers=4, commits=5, ticks=3)
CONNECTIONS: Final = 8


def alternate(measures: Mapping[str, Measure], *, rounds: int) -> dict[str, list[float]]:
    """Run each measure once per round, in an order that rotates; one unrecorded round first warms all of them.

    A measure gets the number of the round (0 is the warm-up), so that it can ask something new each time.
    """
    names = list(measures)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            value = measures[name](number)
            if number:
                taken[name].append(value)
    return taken


def loaded(contestant: Contestant, requests: Callable[[int], list[bytes]], *, seen: list[Load], seconds: float) -> Measure:
    """A measure: answers a second of a contestant under `requests(round)`; each `Load` is appended to `seen`."""

    def measure(number: int) -> float:
        load = run(contestant.server, requests(number), connections=CONNECTIONS, duration_s=seconds)
        if number:
            seen.append(load)
        return load.per_s

    return measure
