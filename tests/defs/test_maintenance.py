"""The job that squashes long histories, and leaves the others alone."""

from pathlib import Path

import dagster as dg
import pytest
from huggingface_hub import HfApi

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.hub_maintenance import squash_long_histories
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import HubUnavailable
from datahub_assets.settings import Settings
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


def test_the_embedded_hub_is_left_to_itself_unless_it_keeps_all(tmp_path: Path) -> None:
    def squash(**variables: str) -> None:
        environ = {"DATAHUB_HOME": str(tmp_path), "DATAHUB_LOCALHUB_PORT": "1", **variables}
        squash_long_histories(dg.build_op_context(resources={KEY: DataHubResource(Settings.from_env(environ))}))

    squash()
    with pytest.raises(HubUnavailable):
        squash(DATAHUB_KEEP_HISTORY_DAYS="0")
