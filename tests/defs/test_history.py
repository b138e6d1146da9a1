"""The history of candles in Dagster: a partition materialized for real, the jobs, and when the sensor starts them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.defs import chain, retention
from datahub_assets.defs.history import history_runs, history_sensor
from datahub_assets.defs.history.history_asset import GROUP_DIMENSION, MONTH_DIMENSION
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.history import Month
from datahub_assets.domain.times import DAY_MS
from datahub_assets.stores.fill import requests
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.history import reports
from tests.defs.conftest import NOON_MS, Bench
from tests.fakes import FakeArchive
from tests.stores.world import on_hub

KEY = dg.MultiPartitionKey({GROUP_DIMENSION: "4h", MONTH_DIMENSION: "2025-10"})
WISH = Wish("ohlc", "2025-09", "2025-10", ("4h",))


@pytest.fixture
def past(bench: Bench) -> Iterator[Bench]:
    """The same bench with an archive, whose files are those of its exchange."""
    archive = FakeArchive(bench.binance)
    archive.start()
    candles = bench.datahub.settings.of(OHLC.settings).model_copy(
        update={"binance_archive_url": archive.url, "binance_archive_list_url": archive.list_url}
    )
    settings = bench.datahub.settings.model_copy(
        update={"of_datasets": {**bench.datahub.settings.of_datasets, OHLC.settings: candles}}
    )
    yield Bench(
        DataHubResource(settings, clock=bench.clock.now_ms),
        bench.coingecko,
        bench.binance,
        bench.clock,
        bench.server,
        bench.instance,
    )
    archive.stop()


def materialized(past: Bench, key: str = KEY) -> dg.ExecuteInProcessResult:
    asset = past.definitions.get_assets_def(chain.history_key(OHLC))
    return dg.materialize(
        [asset], partition_key=key, instance=past.instance, resources={"datahub": past.datahub}, raise_on_error=False
    )


def ran(past: Bench, job: str) -> dg.ExecuteInProcessResult:
    found = past.definitions.resolve_job_def(f"ohlc_candles_history_{job}_job")
    return found.execute_in_process(instance=past.instance, raise_on_error=False)


def test_a_partition_is_built_committed_by_the_chain_and_fetched_once(past: Bench) -> None:
    past.run(OHLC)
    live = on_hub(OHLC, past.hub)
    first = materialized(past)
    assert first.success
    assert len(reports.waiting(past.datahub.settings.home, OHLC)) == 1
    past.clock.advance(60_000)
    past.run(OHLC)
    rows = on_hub(OHLC, past.hub)
    october = rows.filter(rows["timestamp"].dt.strftime("%Y-%m") == "2025-10", rows["interval"] == "4h")
    assert october.height == 2 * 31 * 6
    assert rows.height == live.height + october.height
    past.binance.forget_requests()
    again = materialized(past)
    assert again.success
    assert past.binance.requested(path="/klines") == []
    (event,) = again.asset_materializations_for_node(chain.history_key(OHLC).to_python_identifier())
    assert event.metadata["rows_fetched"].value == 0


def test_a_month_that_is_not_over_for_the_chain_fails_its_partition(past: Bench) -> None:
    past.run(OHLC)
    key = dg.MultiPartitionKey({GROUP_DIMENSION: "4h", MONTH_DIMENSION: "2025-11"})
    past.clock.advance(7 * DAY_MS)
    assert not materialized(past, key).success


def test_what_is_asked_for_is_filled_while_another_job_commits(past: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    home = past.datahub.settings.home
    name = requests.ask(home, WISH)

    def sleep(_s: float) -> None:
        past.clock.advance(2_000)
        assert ran(past, "commit").success

    monkeypatch.setattr("time.sleep", sleep)
    assert ran(past, "fill").success
    told = requests.state(home, name)
    assert told is not None
    assert (told.is_over, told.is_well, told.done, told.total) == (True, True, 2, 2)
    assert requests.waiting(home, "ohlc") == []
    assert on_hub(OHLC, past.hub).height == 2 * 61 * 6


def test_the_sensor_starts_what_there_is_to_do(past: Bench) -> None:
    home, datahub = past.datahub.settings.home, past.datahub
    assert not history_sensor.may_commit(OHLC, datahub)
    assert not history_sensor.may_fill(OHLC, datahub)
    materialized(past)
    assert history_sensor.may_commit(OHLC, datahub)
    requests.ask(home, WISH)
    assert history_sensor.may_fill(OHLC, datahub)
    for job in ("commit", "fill"):
        sensor = past.definitions.get_repository_def().get_sensor_def(f"ohlc_candles_history_{job}_sensor")
        with dg.build_sensor_context(instance=past.instance, resources={"datahub": datahub}) as context:
            asked = sensor.evaluate_tick(context).run_requests
        assert (sensor.job_name, len(asked or [])) == (f"ohlc_candles_history_{job}_job", 1)
    ran(past, "commit")
    assert not history_sensor.may_commit(OHLC, datahub)


def test_two_runs_of_history_go_at_once_at_most(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        history_runs.allow_runs(instance)
        history_runs.allow_runs(instance)
        limits = {one.name: one.limit for one in instance.event_log_storage.get_pool_limits()}
    assert limits == {"history": history_runs.MOST_RUNS}


def test_the_settings_ask_once_and_again_when_a_month_is_over(past: Bench) -> None:
    candles = past.datahub.settings.of(OHLC.settings).model_copy(update={"history_from": Month(2025, 9)})
    of_datasets = {**past.datahub.settings.of_datasets, OHLC.settings: candles}
    datahub = DataHubResource(
        past.datahub.settings.model_copy(update={"of_datasets": of_datasets}), clock=past.clock.now_ms
    )
    home = datahub.settings.home
    history_sensor.ask_for_settings(OHLC, datahub)
    ((name, wish),) = requests.waiting(home, "ohlc")
    assert (wish.first, wish.last, wish.groups) == ("2025-09", "2025-10", ("1h", "4h"))
    requests.note(home, name, requests.FillState(wish, NOON_MS, is_over=True))
    history_sensor.ask_for_settings(OHLC, datahub)
    assert requests.waiting(home, "ohlc") == []
    past.clock.advance(8 * DAY_MS)
    history_sensor.ask_for_settings(OHLC, datahub)
    assert [one.last for _, one in requests.waiting(home, "ohlc")] == ["2025-11"]


def test_live_runs_go_first_and_those_of_history_are_kept(past: Bench) -> None:
    job = past.definitions.resolve_job_def(chain.job_name(OHLC))
    assert int(job.tags["dagster/priority"]) > 0
    run_id = materialized(past).run_id
    run = past.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[history_runs.TAG] == "ohlc"
    assert int(run.tags["dagster/max_runtime"]) == history_runs.RUN_LIMIT_S
    live = past.run(OHLC).run_id
    later = datetime.now(UTC) + retention.KEPT + timedelta(hours=1)
    retention.delete_old(past.instance, now=later)
    kept = [past.instance.has_run(one) for one in (run_id, live)]
    assert kept == [True, False]
