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


@pytest.mark.parametrize("scene", ["plain", pytest.param("roll", marks=pytest.mark.slow)])
def test_by_turns(open_world: OpenWorld, scene: str) -> None:
    world = open_world(scene)
    twin = world.twin()
    for _ in range(3):
        for one in (world, twin):
            before = len(world.history("market"))
            one.light_tick()
            world.clock.advance(MINUTE_MS // 2)
            assert len(world.history("market")) > before, "each makes progress"
    settled(world, twin)


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["first", "plain", "roll"])
def test_at_the_same_time(open_world: OpenWorld, scene: str) -> None:
    world = open_world(scene)
    twin = world.twin()
    for _ in range(4):
        for process in [start(world), start(twin)]:
            process.join(60)
            assert process.exitcode == 0, "a conflict ends in another attempt, not in an error"
        world.clock.advance(MINUTE_MS)
    settled(world, twin)
