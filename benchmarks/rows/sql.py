"""Caller's SQL, uncached: a daily aggregate over one symbol's hourly year, every request another symbol or year."""

from typing import Final

from benchmarks.made.questions import Format, daily
from benchmarks.measuring.equal import must_agree
from benchmarks.measuring.results import Row, against, ratio_at_least
from benchmarks.measuring.rounds import Asker, Effort, contest, new_each, rates
from benchmarks.servers.world import World

_PER_ROUND: Final = 3_000
"""More than anybody answers in a turn, so that no question comes twice."""
_CONNECTIONS: Final = 2
"""As many as there are SQL workers: more would measure the queue."""
_CHECKED: Final = 3


def measure(world: World, effort: Effort) -> list[Row]:
    """One row: answers a second, ours from a sandboxed worker."""
    asked = daily(_PER_ROUND * (effort.rounds + 1), seed=3)
    for question in asked[:_CHECKED]:
        must_agree([(one, one.daily(question)) for one in world.contestants], of=Format.JSON, count=365)
    askers = {
        one.name: Asker(
            one.server,
            new_each([one.daily(question) for question in asked], rounds=effort.rounds),
            connections=_CONNECTIONS,
        )
        for one in world.contestants
    }
    seen = rates(contest(askers, effort))
    ours = seen.pop(world.product.name)
    work = "daily aggregate of one symbol's hourly year, SQL"
    return [against(work, ours, peers=seen, unit="answers/s", target=ratio_at_least(1))]
