"""Contestants take turns, so that a disturbance of the machine meets all of them; what is asked is the caller's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from benchmarks.measuring.load import Load, Server, run

CONNECTIONS: Final = 8

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look: rounds of alternation, seconds of load per turn, bulk answers per turn, commits, ticks."""

    rounds: int
    load_s: float
    bulk_answers: int
    commits: int
    ticks: int


FULL: Final = Effort(rounds=7, load_s=3.0, bulk_answers=8, commits=15, ticks=10)
QUICK: Final = Effort(rounds=3, load_s=1.0, bulk_answers=4, commits=5, ticks=3)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asked what: the requests of each round, so that a round can ask something new."""

    server: Server
    requests: Callable[[int], Sequence[bytes]]
    status: int = 200
    connections: int = CONNECTIONS


def alternate(measures: Mapping[str, Callable[[int], _Value]], *, rounds: int) -> dict[str, list[_Value]]:
    """Run each measure once per round, in an order that rotates; one unrecorded round first warms all of them.

    A measure gets the number of the round, 0 for the warm-up.
    """
    names = list(measures)
    taken: dict[str, list[_Value]] = {name: [] for name in names}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            value = measures[name](number)
            if number:
                taken[name].append(value)
    return taken


def contest(askers: Mapping[str, Asker], effort: Effort) -> dict[str, list[Load]]:
    """Put the same load on each in turn; the loads of every round by name."""

    def measure(asker: Asker) -> Callable[[int], Load]:
        return lambda number: run(
            asker.server,
            asker.requests(number),
            connections=asker.connections,
            duration_s=effort.load_s,
            status=asker.status,
        )

    return alternate({name: measure(asker) for name, asker in askers.items()}, rounds=effort.rounds)


def always(request: bytes) -> Callable[[int], Sequence[bytes]]:
    """The same single request in every round."""
    return lambda _: (request,)


def new_each(requests: Sequence[bytes], *, rounds: int) -> Callable[[int], Sequence[bytes]]:
    """Another share of `requests` in every round, the warm-up included."""
    share = len(requests) // (rounds + 1)
    return lambda number: requests[number * share : (number + 1) * share]


def rates(loads: Mapping[str, Sequence[Load]]) -> dict[str, list[float]]:
    """Answers a second of every round."""
    return {name: [load.per_s for load in seen] for name, seen in loads.items()}
