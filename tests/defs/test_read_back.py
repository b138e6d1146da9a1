"""The proof of publishing: right at every hour, and a Hub that cannot be read is a warning in words."""

import dagster as dg
import pytest

from datahub_assets.domain.datasets import MARKET
from tests.defs.conftest import Bench


@pytest.mark.parametrize("status", [404, 429])
def test_a_hub_that_refuses_to_be_read_is_a_warning(bench: Bench, status: int) -> None:
    bench.coingecko.hold()
    assert bench.run(MARKET).success
    bench.server.faults.answer(status, error="not now", on="resolve", times=1000)
    result = bench.run(MARKET)
    (told,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "hub_equals_cache"]
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "could not be read back" in (told.description or "")
    assert result.success
