"""A whole installation under test: the upstreams, a Hub, a home, a clock that stands still until it is moved.

Scenes are the states a tick can meet; a home in the state before is made once and copied for each test.
"""

import json
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.settings import Settings
from datahub_assets.stores import landing
from localhub.testing import HubServer
from tests.fakes import Clock, FakeBinance, FakeCoinGecko, FakeFeeds
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream
from tests.faults import comparison
from tests.faults.chain import Chains, Outcome
from tests.faults.comparison import Findings, Truth
from tests.faults.hubview import HubView
from tests.faults.subjects import PRICES, SUBJECTS, news
from tests.faults.subjects.candles import GAP_MS, HISTORY, INTERVALS, SYMBOLS
from tests.faults.subjects.network import PERCENTILES
from tests.faults.subjects.subject import Heard

COINS = 6
MINUTE_MS = 60_000
RECOVERY_TICKS = 12


def at(text: str) -> int:
    """Epoch ms of an ISO time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


SCENES = {
    "first": at("2025-12-31T23:50:05"),
    "plain": at("2025-12-31T23:53:05"),
    "roll": at("2026-01-01T00:10:10"),
}
"""When the tick under test happens: the first one ever, one like most, and one in which hour, day, month and year roll,
candles of all intervals close, the exchange has found the candles of the gap that is due to be asked for again, and all
else has happened that the subjects tell as their changes."""
AnswersHeard = dict[str, list[Heard]]
"""What each upstream answered, oldest first."""


@dataclass
class World:
    """One installation and its surroundings.

    Attributes:
        journal: copies of all landing files, made when their landing was done; not part of the home.
        datasets: those that are collected.        chains_made: the chains that the nodes tell, by name.
        heard: what its upstreams answered, to this home or to the one it is a copy of.
    """

    home: Path
    journal: Path
    hub: HubServer
    clock: Clock
    coingecko: FakeCoinGecko
    binance: FakeBinance
    other_binance: FakeBinance
    feeds: FakeFeeds
    ethereum: FakeEthereum
    bitcoin: FakeBitcoin
    instance: dg.DagsterInstance | None = None
    datasets: tuple[str, ...] = PRICES
    heard: AnswersHeard = field(default_factory=lambda: defaultdict(list))
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environ)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.hub.url,
            "HF_TOKEN": self.hub.token,
            "COINGECKO_BASE_URL": f"{self.coingecko.url}/api/v3",
            "BINANCE_BASE_URLS": self.binance.url,
            "DATAHUB_HOME": str(self.home),
            "DATAHUB_NEWS_FEEDS": ",".join(f"{path.split('/')[1]}={self.feeds.url}{path}" for path in self.feeds.feeds),
            "DATAHUB_ETHEREUM_RPC_URLS": self.ethereum.url,
            "DATAHUB_BITCOIN_API_URLS": f"{self.bitcoin.url}/api",
            "DATAHUB_DATASETS": ",".join(self.datasets),
            "DATAHUB_COINS": str(COINS),
            "DATAHUB_SYMBOLS": ",".join(SYMBOLS),
            "DATAHUB_INTERVALS": ",".join(INTERVALS),
            "DATAHUB_HISTORY_CANDLES": str(HISTORY),
            "DATAHUB_PUBLISH_INTERVAL_S": "1",
            "DATAHUB_COMMITS_PER_HOUR": "100000",
            **self.variables,
        }

    def tick(self) -> dict[str, Outcome]:
        """The Dagster job of each dataset once, now."""
        return {spec.name: self.chains.run_job(spec) for spec in self.settings.collected}

    def light_tick(self) -> dict[str, Outcome]:
        """The assets of all datasets once, now, without Dagster's book-keeping around them."""
        return {spec.name: self.chains.run_bodies(spec) for spec in self.settings.collected}

    @cached_property
    def chains(self) -> Chains:
        """The product."""
        return Chains(self.settings, self.clock.now_ms, instance=self.instance)

    def recover(self) -> None:
        """Ordinary ticks, a minute apart and with everything in good health, until one leaves nothing to do."""
        outcomes: dict[str, Outcome] = {}
        for _ in range(RECOVERY_TICKS):
            self.clock.advance(MINUTE_MS)
            outcomes = self.light_tick()
            if all(outcome.complete for outcome in outcomes.values()) and not self.waiting():
                return
        raise AssertionError(f"not well again after {RECOVERY_TICKS} ticks: {outcomes}")

    def health(self) -> None:
        """All faults are over."""
        for upstream in self.upstreams.values():
            upstream.recover()
        self.hub.faults.clear()

    @property
    def upstreams(self) -> Mapping[str, Upstream]:
        """All of them, by the names that subjects call them."""
        return {
            name: value
            for name in ("coingecko", "binance", "other_binance", "feeds", "ethereum", "bitcoin")
            if isinstance(value := getattr(self, name), Upstream)
        }

    @property
    def chains_made(self) -> Mapping[str, MadeChain]:
        """The chains that the nodes tell."""
        return {"ethereum": self.ethereum.chain, "bitcoin": self.bitcoin.chain}

    def ask(self, upstream: Upstream, path: str) -> Heard:
        """What an upstream in good health answers now, without HTTP; of Ethereum's node the method is the path."""
        params = [hex(20), "latest", list(PERCENTILES)] if path == "/eth_feeHistory" else []
        call = json.dumps({"id": 1, "method": path.removeprefix("/"), "params": params}).encode()
        request = Request("GET", path, {}, {}, call)
        heard = Heard.of(request, upstream.route(request), at_ms=self.clock.now_ms())
        assert heard is not None
        return heard

    def change(self) -> None:
        """What upstreams come up with by the time of the roll."""
        for name in self.datasets:
            SUBJECTS[name].changes(self)

    def forget_account(self) -> None:
        """The cache no longer knows whose token it is: the next publish asks, like the first ever."""
        with closing(sqlite3.connect(self.settings.cache_path)) as database, database:
            database.execute("DELETE FROM hub_facts WHERE name = 'account'")

    def waiting(self) -> int:
        """How many rows no commit carries yet."""
        with closing(sqlite3.connect(self.settings.cache_path)) as database:
            counts = [
                database.execute(f"SELECT count(*) FROM {spec.cache_table} WHERE commit_id IS NULL").fetchone()[0]  # noqa: S608 - names of the specs
                for spec in self.settings.collected
            ]
        return sum(counts)

    def quarantined(self, name: str) -> int:
        """How many rows of a dataset were set aside."""
        with closing(sqlite3.connect(self.settings.cache_path)) as database:
            (count,) = database.execute("SELECT count(*) FROM quarantine WHERE dataset = ?", (name,)).fetchone()
        return int(count)

    def twin(self) -> "World":
        """Another installation that works for the same account of the same Hub, with an empty home."""
        return replace(self, home=self.home.parent / "twin")

    def go_on_in(self, home: Path) -> None:
        """Another home takes the place of this one, its Hub on the same port."""
        self.hub.stop()
        self.home, self.hub.home = home, home / "hub"
        self.hub.start()
        self.__dict__.pop("chains", None)

    def spec(self, name: str) -> DatasetSpec:
        return DATASETS[name]

    def history(self, name: str) -> list[str]:
        """Commits of a dataset, oldest first."""
        with HubView(self.hub.url) as view:
            return view.history(DATASETS[name])

    def heal_gap(self) -> None:
        """The exchange finds the missing candles."""
        for exchange in (self.binance, self.other_binance):
            exchange.listings["ETHUSDT"].overrides.clear()

    def findings(self, *, every: int = 1, sole_writer: bool = True) -> Findings:
        """What differs between upstream, cache, Hub and API."""
        truths = [self._truth(name) for name in self.datasets]
        return comparison.compare(self.settings, truths, every=every, sole_writer=sole_writer)

    def _truth(self, name: str) -> Truth:
        subject = SUBJECTS[name]
        landed = comparison.landed_keys(subject.spec, self.journal)
        told = (row for upstream in subject.hears for row in subject.told(self.heard[upstream]))
        return Truth.of(subject, told=told, now=subject.now(self, landed), landed=landed)


@contextmanager
def installation(
    folder: Path,
    hub: HubServer,
    *,
    now_ms: int,
    instance: dg.DagsterInstance | None = None,
    datasets: tuple[str, ...] = PRICES,
) -> Iterator[World]:
    """A world around `folder/home`, whose Hub has its files in `folder/home/hub`."""
    clock = Clock(now_ms)
    begin_s = SCENES["first"] // 1000
    ethereum = MadeChain(
        first=24_000_000, head=24_000_200, begin_s=begin_s - 200 * 12 - 3, every_s=12, prefix="0x", clock=clock
    )
    bitcoin = MadeChain(first=930_000, head=930_030, begin_s=begin_s - 30 * 600 - 400, every_s=600, clock=clock)
    fakes: dict[str, Upstream] = {
        "coingecko": FakeCoinGecko(clock=clock, coin_count=COINS),
        "binance": FakeBinance(clock=clock, usdt_pairs=4, moving=True),
        "other_binance": FakeBinance(clock=clock, usdt_pairs=4, moving=True),
        "feeds": FakeFeeds(clock=clock),
        "ethereum": FakeEthereum(chain=ethereum, clock=clock),
        "bitcoin": FakeBitcoin(chain=bitcoin, moving=True, clock=clock),
    }
    with ExitStack() as stack:
        for fake in fakes.values():
            stack.enter_context(fake)
        world = World(folder / "home", folder / "journal", hub, clock, instance=instance, datasets=datasets, **fakes)  # type: ignore[arg-type]
        for name, fake in fakes.items():
            fake.listener = _listener(world, name)
        for exchange in (world.binance, world.other_binance):
            for open_time in GAP_MS:
                exchange.set_kline("ETHUSDT", "1h", open_time=open_time, kline=None)
        news.publish(world)
        world.journal.mkdir(parents=True, exist_ok=True)
        hub.stop()
        hub.home = world.home / "hub"
        hub.faults.clear()
        hub.faults.seen.clear()
        hub.start()
        try:
            yield world
        finally:
            hub.stop()


def _listener(world: World, upstream: str) -> Callable[[Request, Answer], None]:
    def listen(request: Request, answer: Answer) -> None:
        heard = Heard.of(request, answer, at_ms=world.clock.now_ms())
        if heard is not None:
            world.heard[upstream].append(heard)

    return listen


def keep_landings(patch: pytest.MonkeyPatch, journal: Path) -> None:
    """Copy each landing file once the product says that it is durable."""
    land = landing.land

    def kept(*arguments: Any, **options: Any) -> Path:
        path = land(*arguments, **options)
        shutil.copy(path, journal / f"{path.parent.name}-{path.name}")
        return path

    patch.setattr(landing, "land", kept)


def all_succeeded(outcomes: dict[str, Outcome]) -> bool:
    return bool(outcomes) and all(outcome.success for outcome in outcomes.values())
