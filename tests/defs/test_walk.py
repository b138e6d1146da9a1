"""The walk of a candle that docs/architecture.md tells is the one it takes."""

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.times import HOUR_MS
from tests.defs.conftest import Bench
from tests.walks import told, walked


def test_a_candle_takes_the_steps_that_are_told(bench: Bench) -> None:
    assert bench.run(OHLC).success
    bench.clock.advance(HOUR_MS)
    with walked() as calls:
        assert bench.run(OHLC).success
    steps = told("One candle, from client to commit")
    assert all(steps), "each step names what it does"
    places = [calls.index(call) for step in steps for call in step]
    assert places == sorted(places), "in this order"
    assert len(steps) <= 15
