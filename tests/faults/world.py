"""A whole installation under test: both upstreams, a Hub, a home, a clock that stands still until it is moved.

Scenes are the states a tick can meet; a home in the state before is made once and copied for each test.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.settings import Settings
from datahub_assets.stores import landing
from localhub.testing import HubServer
from tests.fakes import Clock
from tests.faults import comparison
from tests.faults.chain import Chains, Outcome
from tests.faults.comparison import Findings, Truth
from tests.faults.hubview import HubView
from tests.faults.witness import Versions, WatchedBinance, WatchedCoinGecko, current_prices

SYMBOLS, INTERVALS, HISTORY, COINS = ("BTCUSDT", "ETHUSDT"), ("1h", "4h", "1d"), 30, 6
MINUTE_MS = 60_000
RECOVERY_TICKS = 12


def at(text: str) -> int:
    """Epoch ms of an ISO time, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


GAP_MS = (at("2025-12-31T05:00:00"), at("2025-12-31T06:00:00"))
"""The exchange lacks these hourly candles of ETHUSDT."""
REASKED = {"symbol": "ETHUSDT", "endTime": str(GAP_MS[-1])}
"""The query parameters that tell a question about the gap from all others."""
SCENES = {
    "first": at("2025-12-31T23:50:05"),
    "plain": at("2025-12-31T23:53:05"),
    "roll": at("2026-01-01T00:10:10"),
}
"""When the tick under test happens: the first one ever, one like most, and one in which hour, day, month and year roll,
candles of all intervals close, and the exchange has found the candles of the gap that is due to be asked for again."""


@dataclass
class World:
    """One installation and its surroundings."""

    home: Path
    hub: HubServer
    clock: Clock
    coingecko: WatchedCoinGecko
    binance: WatchedBinance
    other_binance: WatchedBinance
    instance: dg.DagsterInstance | None = None
    said_before: dict[str, Versions] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def journal(self) -> Path:
        """Copies of all landing files, made when their landing was done; not part of the home."""
        return self.home.parent / "journal"

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
            "DATAHUB_DATASETS": "market,ohlc",
            "DATAHUB_COINS": str(COINS),
            "DATAHUB_SYMBOLS": ",".join(SYMBOLS),
            "DATAHUB_INTERVALS": ",".join(INTERVALS),
            "DATAHUB_HISTORY_CANDLES": str(HISTORY),
            "DATAHUB_PUBLISH_INTERVAL_S": "1",
            "DATAHUB_COMMITS_PER_HOUR": "100000",
            **self.variables,
        }

    def tick(self) -> dict[str, Outcome]:
        """Both Dagster jobs once, now."""
        return {spec.name: self.chains.run_job(spec) for spec in self.settings.collected}

    def light_tick(self) -> dict[str, Outcome]:
        """The assets of both chains once, now, without Dagster's book-keeping around them."""
        return {spec.name: self.chains.run_bodies(spec) for spec in self.settings.collected}

    @cached_property
    def chains(self) -> Chains:
        """The product."""
        return Chains(self.settings, self.clock.now_ms, instance=self.instance)

    def recover(self) -> None:
        """Ordinary ticks, a minute apart and with everything in good health, until one has nothing left to do."""
        outcomes: dict[str, Outcome] = {}
        for _ in range(RECOVERY_TICKS):
            self.clock.advance(MINUTE_MS)
            outcomes = self.light_tick()
            if all(outcome.success for outcome in outcomes.values()) and not self.waiting():
                return
        raise AssertionError(f"not well again after {RECOVERY_TICKS} ticks: {outcomes}")

    def health(self) -> None:
        """All faults are over."""
        for upstream in (self.coingecko, self.binance, self.other_binance):
            upstream.recover()
        self.hub.faults.clear()

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

    def served(self, name: str) -> Versions:
        """All that upstream ever said of a dataset's rows, to this home or to the one it is a copy of."""
        sources: list[Versions] = [self.said_before.get(name, {})]
        sources += [self.coingecko.served] if name == MARKET.name else [self.binance.served, self.other_binance.served]
        keys = {key for source in sources for key in source}
        return {key: set().union(*(source.get(key, set()) for source in sources)) for key in keys}

    def findings(self, *, every: int = 1, sole_writer: bool = True) -> Findings:
        """What differs between upstream, cache, Hub and API."""
        truths = {
            MARKET.name: Truth(
                served=self.served(MARKET.name),
                now=current_prices(self.coingecko),
                landed=comparison.landed_keys(MARKET, self.journal),
            ),
            OHLC.name: Truth(
                served=self.served(OHLC.name),
                now=self.binance.everything(SYMBOLS, INTERVALS, limit=HISTORY),
                landed=comparison.landed_keys(OHLC, self.journal),
            ),
        }
        return comparison.compare(self.settings, truths, every=every, sole_writer=sole_writer)


@contextmanager
def installation(
    folder: Path, hub: HubServer, *, now_ms: int, instance: dg.DagsterInstance | None = None
) -> Iterator[World]:
    """A world around `folder/home`, whose Hub has its files in `folder/home/hub`."""
    clock = Clock(now_ms)
    with (
        WatchedCoinGecko(clock=clock, coin_count=COINS) as coingecko,
        WatchedBinance(clock=clock, usdt_pairs=4, moving=True) as binance,
        WatchedBinance(clock=clock, usdt_pairs=4, moving=True) as other,
    ):
        for exchange in (binance, other):
            for open_time in GAP_MS:
                exchange.set_kline("ETHUSDT", "1h", open_time=open_time, kline=None)
        world = World(folder / "home", hub, clock, coingecko, binance, other, instance)
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
