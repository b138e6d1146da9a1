"""The job that squashes long histories, and leaves the others alone."""

import pytest
from huggingface_hub import HfApi

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from tests.defs.conftest import Bench


def commits(bench: Bench, spec: DatasetSpec) -> int:
    api = HfApi(endpoint=bench.server.url)
    return len(api.list_repo_commits(bench.hub.repo_id(spec), repo_type="dataset"))


def test_only_long_histories_are_squashed_and_ticks_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        assert bench.run(MARKET).success
        bench.clock.advance(60_000)
    bench.run(OHLC)
    before = commits(bench, OHLC)
    assert commits(bench, MARKET) > before
    monkeypatch.setattr("datahub_assets.defs.hub_maintenance.MANY_COMMITS", before)
    job = bench.definitions.resolve_job_def("hub_maintenance")
    assert job.execute_in_process(instance=bench.instance).success
    assert (commits(bench, MARKET), commits(bench, OHLC)) == (1, before)
    assert bench.run(MARKET).success
    assert commits(bench, MARKET) == 2
