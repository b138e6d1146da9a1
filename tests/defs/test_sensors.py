"""A tick: when it starts a run, when it does not and why, and what it does about runs nobody will finish."""

import subprocess
import sys
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs import chain, retention, runs
from datahub_assets.defs.run_workers import Worker, worker_by_pid
from datahub_assets.defs.runs import LiveRun
from datahub_assets.defs.sensors import Tick, run_key
from tests.defs.conftest import NOON_MS, Bench

STARTED, QUEUED = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED
STARTING, CANCELING = dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING
NOT_STARTED = dg.DagsterRunStatus.NOT_STARTED


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as running:
        yield running
        running.kill()


def a_run(bench: Bench, status: dg.DagsterRunStatus, *, pid: int | None = None) -> str:
    run = create_run_for_test(bench.instance, job_name=chain.job_name(MARKET), status=status)
    if pid is not None:
        bench.instance.report_engine_event(
            f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid)
        )
    return str(run.run_id)


def tick(bench: Bench) -> dg.RunRequest | dg.SkipReason:
    sensor = bench.definitions.resolve_sensor_def(chain.sensor_name(MARKET))
    context = dg.build_sensor_context(
        instance=bench.instance,
        repository_def=bench.definitions.get_repository_def(),
        resources={"datahub": bench.datahub},
    )
    outcome = sensor.evaluate_tick(context)
    return outcome.run_requests[0] if outcome.run_requests else dg.SkipReason(outcome.skip_message)


@pytest.mark.parametrize(
    ("status", "worker", "idle_s", "orphaned"),
    [
        (QUEUED, Worker.UNKNOWN, 10_000, False),
        (NOT_STARTED, Worker.UNKNOWN, 5, False),
        (NOT_STARTED, Worker.UNKNOWN, 61, True),
        (STARTING, Worker.UNKNOWN, 5, False),
        (STARTING, Worker.UNKNOWN, 61, True),
        (STARTING, Worker.ALIVE, 1000, False),
        (STARTED, Worker.ALIVE, 1000, False),
        (STARTED, Worker.GONE, 0, True),
        (CANCELING, Worker.ALIVE, 1000, False),
        (CANCELING, Worker.GONE, 0, True),
    ],
)
def test_a_run_is_orphaned_when_no_process_will_finish_it(
    status: dg.DagsterRunStatus, worker: Worker, idle_s: float, orphaned: bool
) -> None:
    assert LiveRun(run_id="r", status=status, worker=worker, idle_s=idle_s).orphaned is orphaned


def test_a_tick_skips_while_a_run_is_alive_and_says_which() -> None:
    live = LiveRun(run_id="0123456789", status=STARTED, worker=Worker.ALIVE, idle_s=7)
    assert Tick(now_ms=NOON_MS, tick_s=60, live=[live]).reason_to_skip() == "run 01234567 is started since 7 s"


def test_a_tick_skips_while_the_upstream_wants_a_pause() -> None:
    reason = Tick(now_ms=NOON_MS, tick_s=60, pause_until_ms=NOON_MS + 90_000).reason_to_skip()
    assert reason == "upstream asked for a pause, 90 s are left"
    assert Tick(now_ms=NOON_MS, tick_s=60, pause_until_ms=NOON_MS).reason_to_skip() is None


def test_the_run_key_is_the_minute_and_the_attempt() -> None:
    bucket = Tick(now_ms=NOON_MS + 59_999, tick_s=60).bucket
    assert run_key(OHLC, bucket=bucket, attempt=1) == "ohlc:2025-11-24T12:00:00Z:1"
    assert Tick(now_ms=NOON_MS + 60_000, tick_s=60).bucket == "2025-11-24T12:01:00Z"
    assert Tick(now_ms=NOON_MS + 7_000, tick_s=5).bucket == "2025-11-24T12:00:05Z"


def test_a_quiet_chain_gets_a_run(bench: Bench) -> None:
    request = tick(bench)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "market:2025-11-24T12:00:00Z:0"
    assert request.tags[runs.BUCKET_TAG] == "2025-11-24T12:00:00Z"


def test_a_failed_run_does_not_use_up_its_minute(bench: Bench) -> None:
    tags = {runs.BUCKET_TAG: "2025-11-24T12:00:00Z"}
    create_run_for_test(bench.instance, job_name=chain.job_name(MARKET), status=dg.DagsterRunStatus.FAILURE, tags=tags)
    request = tick(bench)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key == "market:2025-11-24T12:00:00Z:1"


def test_a_live_run_is_waited_for(bench: Bench, process: subprocess.Popen[bytes]) -> None:
    run_id = a_run(bench, STARTED, pid=process.pid)
    skip = tick(bench)
    assert isinstance(skip, dg.SkipReason)
    assert run_id[:8] in (skip.skip_message or "")


def test_a_run_whose_process_is_gone_is_failed_and_the_tick_goes_on(
    bench: Bench, process: subprocess.Popen[bytes]
) -> None:
    run_id = a_run(bench, STARTED, pid=process.pid)
    process.kill()
    process.wait()
    assert isinstance(tick(bench), dg.RunRequest)
    run = bench.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_another_process_under_the_same_pid_does_not_count(bench: Bench, process: subprocess.Popen[bytes]) -> None:
    run_id = a_run(bench, STARTED, pid=process.pid)
    (event,) = bench.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    assert worker_by_pid(bench.instance, run_id) is Worker.ALIVE
    assert event.timestamp > time.time() - 60
    with pytest.MonkeyPatch.context() as patch:  # the machine was restarted since, and the pid given out again
        patch.setattr("datahub_assets.defs.run_workers.started_at", lambda _pid: event.timestamp + 3600)
        assert worker_by_pid(bench.instance, run_id) is Worker.GONE


def test_a_run_by_hand_counts_and_one_of_the_other_chain_does_not(
    bench: Bench, process: subprocess.Popen[bytes]
) -> None:
    by_hand = create_run_for_test(
        bench.instance, job_name="__ASSET_JOB", status=STARTED, asset_selection=frozenset({chain.cache_key(MARKET)})
    )
    bench.instance.report_engine_event("", by_hand, EngineEventData.in_process(process.pid))
    assert [run.run_id for run in runs.unfinished(bench.instance, MARKET)] == [by_hand.run_id]
    assert runs.unfinished(bench.instance, OHLC) == []


def test_a_pause_of_the_upstream_survives_the_run_that_heard_of_it(bench: Bench) -> None:
    bench.coingecko.fail("rate_limited", times=None, retry_after_s=119)
    bench.run(MARKET)
    skip = tick(bench)
    assert isinstance(skip, dg.SkipReason)
    assert "upstream asked for a pause" in (skip.skip_message or "")


def test_a_cache_that_cannot_be_read_is_left_to_the_run_to_report(bench: Bench) -> None:
    bench.datahub.settings.cache_path.write_bytes(b"not a database" * 1000)
    assert isinstance(tick(bench), dg.RunRequest)


def test_old_runs_are_deleted_and_young_ones_kept(bench: Bench) -> None:
    old = create_run_for_test(bench.instance, job_name="j", status=dg.DagsterRunStatus.SUCCESS).run_id
    failed = create_run_for_test(bench.instance, job_name="j", status=dg.DagsterRunStatus.FAILURE).run_id
    running = create_run_for_test(bench.instance, job_name="j", status=STARTED).run_id
    now = bench.instance.get_run_records()[0].create_timestamp
    assert retention.delete_old(bench.instance, now=now) == 0
    assert retention.delete_old(bench.instance, now=now + retention.KEPT * 2) == 1
    assert {run.run_id for run in bench.instance.get_runs()} == {failed, running}
    assert retention.delete_old(bench.instance, now=now + retention.KEPT_FAILED * 2) == 1
    assert {run.run_id for run in bench.instance.get_runs()} == {running}
    assert old not in {run.run_id for run in bench.instance.get_runs()}


def test_evaluations_of_checks_go_with_their_time(bench: Bench) -> None:
    bench.run(MARKET)
    key = dg.AssetCheckKey(chain.hub_key(MARKET), "hub_equals_cache")
    storage = bench.instance.event_log_storage
    assert len(storage.get_asset_check_execution_history(key, limit=10)) == 1
    now = bench.instance.get_run_records()[0].create_timestamp
    retention.delete_old(bench.instance, now=now)
    assert len(storage.get_asset_check_execution_history(key, limit=10)) == 1
    retention.delete_old(bench.instance, now=now + retention.KEPT * 2)
    assert storage.get_asset_check_execution_history(key, limit=10) == []
