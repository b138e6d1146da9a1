"""A client that has the answer already: 304 on its ETag, against a handler that answers 304 and does nothing else."""

from benchmarks.made.questions import HOT
from benchmarks.measuring.ask import ask
from benchmarks.measuring.load import Server, get
from benchmarks.measuring.results import Row, against, ratio_at_least
from benchmarks.measuring.rounds import Asker, Effort, always, contest, rates
from benchmarks.servers.bare import UNCHANGED, bare
from benchmarks.servers.product import newest_path
from benchmarks.servers.world import World


def measure(world: World, effort: Effort) -> list[Row]:
    """One row: 304 answers a second."""
    ours = world.product
    request = get(ours.server, newest_path(HOT), if_none_match=_etag(ours.server, ours.newest(HOT)))
    with bare(b"", folder=world.folder, log=world.log) as floor:
        nothing = Asker(floor, always(get(floor, "/unchanged")), status=304)
        seen = rates(contest({ours.name: Asker(ours.server, always(request), status=304), UNCHANGED: nothing}, effort))
    mine = seen.pop(ours.name)
    return [against("304 on a matching ETag", mine, peers=seen, unit="answers/s", target=ratio_at_least(0.8))]


def _etag(server: Server, request: bytes) -> str:
    etag = ask(server, request).headers.get("etag")
    if etag is None:
        raise ValueError("the answer carries no ETag")
    return etag
