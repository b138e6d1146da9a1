"""Nothing cached: every request another symbol, interval and limit."""

from typing import Final

from benchmarks.made.questions import Format, cold
from benchmarks.measuring.equal import must_agree
from benchmarks.measuring.results import Row, against, ours_at_most, ratio_at_least
from benchmarks.measuring.rounds import Asker, Effort, contest, new_each, rates
from benchmarks.servers.world import World

_PER_ROUND: Final = 25_000
"""More than anybody answers in a turn, so that no question comes twice."""
_CHECKED: Final = 10


def measure(world: World, effort: Effort) -> list[Row]:
    """Two rows: answers a second against the best peer, and our p99 at 8 connections."""
    asked = cold(_PER_ROUND * (effort.rounds + 1), seed=2)
    for question in asked[:_CHECKED]:
        must_agree([(one, one.newest(question)) for one in world.contestants], of=Format.JSON)
    askers = {
        one.name: Asker(one.server, new_each([one.newest(question) for question in asked], rounds=effort.rounds))
        for one in world.contestants
    }
    seen = contest(askers, effort)
    tails = {name: [load.p99_ms for load in loads] for name, loads in seen.items()}
    speeds = rates(seen)
    ours, our_tail = speeds.pop(world.product.name), tails.pop(world.product.name)
    limit = ours_at_most(25, "ms")
    work = "newest candles, nothing cached"
    return [
        against(work, ours, peers=speeds, unit="answers/s", target=ratio_at_least(3)),
        against(f"{work}: p99 at 8 connections", our_tail, peers=tails, unit="ms", target=limit, less_is_better=True),
    ]
