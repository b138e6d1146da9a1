"""An installation that lives over a midnight, while a real API process follows its Hub and clients are connected."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.following import Event, Follower, following
from tests.api.process import serving_process
from tests.consistency.asking import Begun, Checker, Pin, newest
from tests.consistency.document_questions import document_questions
from tests.consistency.held import SPECS, Held, held_at
from tests.consistency.questions import Question
from tests.consistency.rows_questions import rows_questions
from tests.faults import chain
from tests.faults.hubview import HubView
from tests.faults.world import MINUTE_MS, World, all_succeeded, at, installation, keep_landings

HOUR_MS = 60 * MINUTE_MS
SILENCE_S = 120.0
"""A client waits so long for a word of the stream: comparisons leave a busy machine little time for it."""
ONE_SERIES = {"symbol": "BTCUSDT", "interval": "1h"}


@dataclass(frozen=True)
class Plan:
    """What happens when, in minutes after `start`; each thing before the tick of its minute.

    Attributes:
        ticks: when there are ticks.
        still: a dataset whose upstream says nothing new from a minute to another, so that the roll between them is a
            commit that moves rows and changes none.
        late_trades: when a trade is booked to the candle before the forming one.
        gap_found: when the exchange finds candles it lacked.
        looks: after which ticks the API is asked all questions.
        reconnect: after which tick one of the followers loses its connection, and when it is back.
        one_in: see `Checker.ask_all`.
        compare_every: see `comparison.compare`.
    """

    start: str
    ticks: tuple[int, ...]
    still: tuple[str, int, int]
    late_trades: tuple[int, ...]
    gap_found: int
    looks: tuple[int, ...]
    reconnect: tuple[int, int]
    one_in: int = 1
    compare_every: int = 1


@dataclass
class Stream:
    """What one client of the stream heard.

    Attributes:
        begin: the commit of each dataset it began with.
    """

    begin: Mapping[str, str]
    events: list[Event] = field(default_factory=list)

    def follow_to(self, follower: Follower, heads: Mapping[str, str]) -> None:
        """Take events until it was told of these commits."""
        at = dict(self.begin)
        at.update({event.data["dataset"]: _later(event) for event in self.events})
        while any(at[name] != heads[name] for name in at):
            event = follower.next()
            self.events.append(event)
            at[event.data["dataset"]] = _later(event)


def _later(event: Event) -> str:
    return str(event.data["to"]["revision"] if event.name == "commit" else event.data["revision"])


@dataclass
class Life:
    """An installation at the end of its life, still served.

    Attributes:
        looked_at: the commits about which everything was asked when they were the newest.
        begun: pages whose first one was asked for then, and whose next ones were not.
        streams: what the clients heard, by what they are.
    """

    plan: Plan
    world: World
    url: str
    view: HubView
    http: httpx.Client
    checker: Checker
    looked_at: list[Held] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)

    @property
    def heads(self) -> dict[str, str]:
        """The newest commit of each dataset."""
        return {name: self.view.history(spec)[-1] for name, spec in SPECS.items()}

    def by_time(self, held: Held) -> Pin:
        """Asks for commits by a time at which they were the newest: halfway to the next commit of any dataset."""
        made_ms = {sha: at_ms for spec in SPECS.values() for sha, at_ms in self.view.dated(spec).items()}
        last_ms = max(made_ms[sha] for sha in held.revisions.values())
        next_ms = min((at_ms for at_ms in made_ms.values() if at_ms > last_ms), default=last_ms)
        return lambda question, held: {"as_of": str((last_ms + next_ms) // 2)}

    def serves(self, heads: Mapping[str, str]) -> bool:
        """Whether the API answers from these commits."""
        told = self.http.get("/api/hub/sql", params={"q": "SELECT count(*) FROM market, ohlc"}).headers["x-revision"]
        return told == ",".join(f"{name}@{sha}" for name, sha in heads.items())


def all_questions() -> list[Question]:
    """What is asked of every commit."""
    return [*rows_questions(), *document_questions()]


PAGED = next(one for one in rows_questions() if one.path == "/api/hub/market" and one.params.get("order") == "desc")
"""A question about all prices, whose pages begin with the newest ones."""


@contextmanager
def lived(folder: Path, hub: HubServer, plan: Plan) -> Iterator[Life]:
    """An installation that has lived as planned, and an hour more."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        world = stack.enter_context(installation(folder, hub, now_ms=at(plan.start)))
        keep_landings(patch, world.journal)
        chain.hurried(patch, world.clock)
        assert all_succeeded(world.light_tick())
        url = stack.enter_context(serving_process(hub, folder / "api", DATAHUB_POLL_S="0.1"))
        view = stack.enter_context(HubView(hub.url))
        http = stack.enter_context(client(url, hub))
        life = Life(plan, world, url, view, http, Checker(http))
        _live(life, plan)
        yield life


def client(url: str, hub: HubServer) -> httpx.Client:
    """A client of the API with the owner's token."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {hub.token}"}, timeout=30.0)


def _live(life: Life, plan: Plan) -> None:
    with ExitStack() as stack:
        until(lambda: life.serves(life.heads))
        followers = {
            "all": stack.enter_context(following(life.url, life.world.hub, silence_s=SILENCE_S)),
            "market": stack.enter_context(following(life.url, life.world.hub, silence_s=SILENCE_S, dataset="market")),
            "one series": stack.enter_context(
                following(life.url, life.world.hub, silence_s=SILENCE_S, dataset="ohlc", **ONE_SERIES)
            ),
        }
        for name, (_, ready) in followers.items():
            life.streams[name] = Stream(ready.data)
        _interrupted(life, plan)
        for name, (follower, _) in followers.items():
            life.streams[name].follow_to(follower, life.heads)


def _interrupted(life: Life, plan: Plan) -> None:
    """All ticks; and a follower that is away for some of them."""
    hub, (lost, back) = life.world.hub, plan.reconnect
    with following(life.url, hub, silence_s=SILENCE_S) as (follower, ready):
        stream = life.streams["reconnected"] = Stream(ready.data)
        for minute in [one for one in plan.ticks if one <= lost]:
            _tick(life, plan, minute)
        stream.follow_to(follower, life.heads)
    for minute in [one for one in plan.ticks if lost < one <= back]:
        _tick(life, plan, minute)
    until(lambda: life.serves(life.heads))
    with following(life.url, hub, since=stream.events[-1].id, silence_s=SILENCE_S) as (follower, _):
        for minute in [one for one in plan.ticks if one > back]:
            _tick(life, plan, minute)
        life.world.clock.advance(HOUR_MS)
        life.world.recover()
        stream.follow_to(follower, life.heads)


def _tick(life: Life, plan: Plan, minute: int) -> None:
    world = life.world
    world.clock.stop(at(plan.start) + minute * MINUTE_MS)
    dataset, since, back = plan.still
    if minute == since:
        world.coingecko.hold() if dataset == "market" else world.binance.set_moving(moving=False)
    if minute == back:
        world.coingecko.release() if dataset == "market" else world.binance.set_moving(moving=True)
    if minute in plan.late_trades:
        world.binance.trade("BTCUSDT", factor=1.01, at_ms=world.clock.now_ms() - HOUR_MS)
    if minute == plan.gap_found:
        world.heal_gap()
    assert all_succeeded(world.light_tick())
    if minute in plan.looks:
        heads = life.heads
        until(lambda: life.serves(heads))
        held = held_at(life.view, heads)
        life.checker.ask_all(all_questions(), held, pin=newest, one_in=plan.one_in, turn=len(life.looked_at))
        life.looked_at.append(held)
        life.begun.append(life.checker.begin(PAGED, held))
