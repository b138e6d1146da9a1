"""Two machines that publish to the same repos by mistake: both get on, and nobody's rows are lost."""

import pytest

from datahub_assets.stores.cache.cache import Cache
from tests.faults.conftest import OpenWorld
from tests.faults.processes import start
from tests.faults.world import MINUTE_MS, World


def settled(world: World, twin: World) -> None:
    """Each by itself ends with nothing waiting, and together they lost and doubled nothing."""
    for one in (world, twin):
        one.recover()
    for one in (world, twin):
        with Cache.open(one.settings.cache_path) as cache:
            assert {cache.waiting(spec) for spec in one.settings.collected} == {0}
    findings = world.findings(sole_writer=False)
    assert findings.clean, str(findings)


MOVES = {"prices": "market", "news": "market", "chains": "network"}
"""A dataset of the group that has something new at each tick."""


ANEW = pytest.mark.xfail(
    reason="an installation with an empty home takes what it sees first for new", raises=AssertionError
)
"""Listings are told again, and news are first seen later: nobody looks at what the Hub has of them already."""


@pytest.mark.parametrize(
    ("group", "scene"),
    [
        ("prices", "plain"),
        pytest.param("prices", "roll", marks=pytest.mark.slow),
        pytest.param("chains", "plain", marks=pytest.mark.slow),
        pytest.param("news", "plain", marks=[pytest.mark.slow, ANEW]),
        pytest.param("listings", "plain", marks=[pytest.mark.slow, ANEW]),
    ],
)
def test_by_turns(open_world: OpenWorld, group: str, scene: str) -> None:
    world = open_world(scene, group=group)
    twin = world.twin()
    for _ in range(3):
        for one in (world, twin):
            before = _commits(world, group)
            one.light_tick()
            world.clock.advance(MINUTE_MS // 2)
            assert _commits(world, group) > before or group not in MOVES, "each makes progress"
    settled(world, twin)


def _commits(world: World, group: str) -> int:
    return len(world.history(MOVES[group])) if group in MOVES else 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "scene"),
    [("prices", "first"), ("prices", "plain"), ("prices", "roll"), ("news", "first"), ("chains", "first")],
)
def test_at_the_same_time(open_world: OpenWorld, group: str, scene: str) -> None:
    world = open_world(scene, group=group)
    twin = world.twin()
    for _ in range(4):
        for process in [start(world), start(twin)]:
            process.join(60)
            assert process.exitcode == 0, "a conflict ends in another attempt, not in an error"
        world.clock.advance(MINUTE_MS)
    settled(world, twin)
