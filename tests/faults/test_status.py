"""What `datahub status` says while rows wait for a Hub that wants none."""

from datahub_assets.ops.commands.status import ChainState, overview
from tests.faults.conftest import OpenWorld, Settle
from tests.faults.world import MINUTE_MS, World, all_succeeded


def seen(world: World) -> dict[str, ChainState]:
    return {chain.dataset: chain for chain in overview(world.settings, now_ms=world.clock.now_ms()).chains}


def test_waiting_for_the_hub_is_no_success(open_world: OpenWorld, settle: Settle) -> None:
    world = open_world("plain")
    assert all_succeeded(world.light_tick())
    assert not any(state.warnings for state in seen(world).values())
    world.hub.faults.rate_limit(retry_after_s=3000, times=1000)
    for _ in range(6):
        world.clock.advance(2 * MINUTE_MS)
        world.light_tick()
    for state in seen(world).values():
        assert state.waiting > 0
        assert f"{state.waiting} rows wait for the Hub" in " ".join(state.warnings)
    said = [warning for state in seen(world).values() for warning in state.warnings]
    assert any("429" in warning for warning in said), "what the Hub said is not forgotten while rows wait for it"
    world.clock.advance(50 * MINUTE_MS)
    settle(world)
    assert not any(state.warnings for state in seen(world).values())
