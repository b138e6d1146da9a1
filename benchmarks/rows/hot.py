"""One hot query: the newest 500 candles of one symbol, again and again, against peers and against a bare handler."""

from benchmarks.made.questions import HOT, Format
from benchmarks.measuring.ask import body_of
from benchmarks.measuring.equal import must_agree
from benchmarks.measuring.load import get
from benchmarks.measuring.results import Row, against, ratio_at_least
from benchmarks.measuring.rounds import Asker, Effort, always, contest, rates
from benchmarks.servers.bare import NAME, bare
from benchmarks.servers.world import World


def measure(world: World, effort: Effort) -> list[Row]:
    """Two rows: ours against the best peer, ours against a handler that returns the same bytes."""
    asked = [(one, one.newest(HOT)) for one in world.contestants]
    must_agree(asked, of=Format.JSON, count=HOT.limit)
    askers = {one.name: Asker(one.server, always(request)) for one, request in asked}
    body = body_of(world.product.server, world.product.newest(HOT))
    with bare(body, folder=world.folder, log=world.log) as floor:
        seen = rates(contest({**askers, NAME: Asker(floor, always(get(floor, "/bytes")))}, effort))
    ours, floor_seen = seen.pop(world.product.name), {NAME: seen.pop(NAME)}
    work = "newest 500 candles of one symbol, hot"
    share = f"{work}: share of doing nothing"
    return [
        against(work, ours, peers=seen, unit="answers/s", target=ratio_at_least(20)),
        against(share, ours, peers=floor_seen, unit="answers/s", target=ratio_at_least(0.8)),
    ]
