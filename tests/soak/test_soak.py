"""Hours and days by a clock that does not sleep, in bad weather: content exactly the upstream's, within the budget."""

import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from localhub.testing import HubServer
from tests.faults import chain
from tests.faults.world import World, at, installation, keep_landings
from tests.soak.weather import HOUR_MS, Weather

COMMITS_PER_HOUR = 60
FOUND_MS = HOUR_MS // 3
"""The candles missing at the start are found so long after it, in time for the third question about them."""


@dataclass(frozen=True)
class Commits:
    """Our commits as the cache notes them: dataset, sha, time by the simulated clock (ms), bytes."""

    rows: list[tuple[str, str, int, int]]

    def most_in_an_hour(self) -> int:
        """The most commits in any window of an hour."""
        times = sorted(row[2] for row in self.rows)
        return max(sum(1 for time in times if start <= time < start + HOUR_MS) for start in times)

    def typical_bytes(self, dataset: str, *, since: int, until: int) -> float:
        """The median size of a commit in a span of time."""
        return statistics.median(row[3] for row in self.rows if row[0] == dataset and since <= row[2] < until)


def commits_of(world: World) -> Commits:
    with closing(sqlite3.connect(world.settings.cache_path)) as database:
        return Commits(database.execute("SELECT dataset, sha, at, bytes FROM commits ORDER BY at").fetchall())


@contextmanager
def simulated(folder: Path, hub: HubServer, *, start: str, hours: float, seed: int) -> Iterator[tuple[World, Weather]]:
    """An installation that has lived through these hours and is well again."""
    begin_ms = at(start)
    with pytest.MonkeyPatch.context() as patch, installation(folder, hub, now_ms=begin_ms) as world:
        world.variables |= {"DATAHUB_PUBLISH_INTERVAL_S": "60", "DATAHUB_COMMITS_PER_HOUR": str(COMMITS_PER_HOUR)}
        keep_landings(patch, world.journal)
        chain.hurried(patch, world.clock)
        weather = Weather(world, seed)
        while world.clock.now_ms() < begin_ms + hours * HOUR_MS:
            weather.change()
            world.light_tick()
            world.clock.advance(weather.tick_s() * 1000)
            if world.clock.now_ms() > begin_ms + FOUND_MS:
                world.heal_gap()
        weather.clear()
        world.clock.advance(HOUR_MS + 61_000)  # past every pause and the hour of the quota
        world.recover()
        yield world, weather


def check(world: World, weather: Weather, *, every: int) -> Commits:
    """What must hold after any time in any weather."""
    findings = world.findings(every=every)
    assert findings.clean, f"seed {weather.seed}, met {weather.met}\n{findings}"
    commits = commits_of(world)
    ours = {row[1] for row in commits.rows}
    on_hub = {sha for name in ("market", "ohlc") for sha in world.history(name)}
    assert ours <= on_hub
    assert commits.most_in_an_hour() <= COMMITS_PER_HOUR
    assert sum(weather.met.values()) > 0, "the weather was fine all along"
    return commits


@pytest.mark.parametrize("seed", [1])
def test_two_hours_over_a_new_year(tmp_path: Path, hub_server: HubServer, seed: int) -> None:
    with simulated(tmp_path, hub_server, start="2025-12-31T22:50:05", hours=2, seed=seed) as (world, weather):
        check(world, weather, every=5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [11, 12])
def test_a_day(tmp_path: Path, hub_server: HubServer, seed: int) -> None:
    with simulated(tmp_path, hub_server, start="2025-12-31T11:00:05", hours=24, seed=seed) as (world, weather):
        commits = check(world, weather, every=20)
    begin_ms = at("2025-12-31T11:00:05")
    for dataset in ("market", "ohlc"):
        early = commits.typical_bytes(dataset, since=begin_ms + HOUR_MS, until=begin_ms + 5 * HOUR_MS)
        late = commits.typical_bytes(dataset, since=begin_ms + 20 * HOUR_MS, until=begin_ms + 24 * HOUR_MS)
        assert late < 1.2 * early, "what a tick commits does not grow with history"
