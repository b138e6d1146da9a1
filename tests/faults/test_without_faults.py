"""The scenes without any fault, and the proof that the comparison notices when something is wrong."""

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from tests.faults.conftest import OpenWorld, Settle
from tests.faults.hubview import HubView
from tests.faults.subjects import GROUPS
from tests.faults.subjects.candles import GAP_MS
from tests.faults.world import all_succeeded


@pytest.mark.parametrize(
    "scene", ["first", pytest.param("plain", marks=pytest.mark.slow), pytest.param("roll", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "group", [group if group == "prices" else pytest.param(group, marks=pytest.mark.slow) for group in GROUPS]
)
def test_without_a_fault_everything_agrees(open_world: OpenWorld, settle: Settle, group: str, scene: str) -> None:
    world = open_world(scene, group=group)
    assert all_succeeded(world.tick())
    settle(world)


def test_the_roll_is_one(open_world: OpenWorld) -> None:
    world = open_world("roll")
    with HubView(world.hub.url) as view:
        before = view.commit(OHLC, view.history(OHLC)[-1])
        assert all_succeeded(world.tick())
        after = view.commit(OHLC, view.history(OHLC)[-1])
    assert {"data/1h/2025-12.parquet", "data/1d/2025-12.parquet"} <= after.frames.keys()
    assert after.window_start > before.window_start
    came = {key for key in after.rows(OHLC).keys() - before.rows(OHLC).keys() if key[2] in GAP_MS}
    assert came == {("ETHUSDT", "1h", open_time) for open_time in GAP_MS}, "the gap was asked for again"
