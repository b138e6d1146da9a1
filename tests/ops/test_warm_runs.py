"""Real Dagster runs through the warm server: launched, ended and found out."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from datahub_assets.defs.run_workers import Worker, started_at, worker_of
from datahub_assets.ops.warm.launcher import WarmRunLauncher
from tests.ops.warm_server import Server


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="warm-") as name:  # short: a socket's path has 107 bytes at most
        yield Path(name)


DEFINITIONS = """
import os, time
import dagster as dg
import polars as pl

@dg.asset
def numbers() -> dg.MaterializeResult:
    frame = pl.DataFrame({"a": range(10_000)}).group_by(pl.col("a") % 7).agg(pl.len())
    return dg.MaterializeResult(metadata={"rows": frame.height, "parent": os.getppid()})

@dg.asset
def forever() -> dg.MaterializeResult:
    time.sleep(600)
    return dg.MaterializeResult()

defs = dg.Definitions(
    assets=[numbers, forever],
    jobs=[dg.define_asset_job("quick", [numbers]), dg.define_asset_job("slow", [forever])],
    executor=dg.in_process_executor,
)
"""


@pytest.fixture(scope="module")
def dagster() -> Iterator["Dagster"]:
    patch = pytest.MonkeyPatch()
    with tempfile.TemporaryDirectory(prefix="warm-") as name:
        folder = Path(name)
        (folder / "warm_definitions.py").write_text(DEFINITIONS)
        patch.setattr(sys, "path", [*sys.path, name])  # at its end: Dagster takes the first one away
        env = {"PYTHONPATH": name, "OPENBLAS_NUM_THREADS": "1", "_RJEM_MALLOC_CONF": "background_thread:false"}
        server = Server(folder, "datahub_assets.ops.warm", "--module", "warm_definitions", "--socket", env=env)
        home = folder / "dagster"
        home.mkdir()
        launcher = {"module": "datahub_assets.ops.warm.launcher", "class": "WarmRunLauncher"}
        config = {"run_launcher": {**launcher, "config": {"socket": str(server.path)}}, "telemetry": {"enabled": False}}
        (home / "dagster.yaml").write_text(yaml.safe_dump(config))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Dagster(instance, server)
        server.end()
    patch.undo()


class Dagster:
    """An instance whose runs go through a warm server."""

    def __init__(self, instance: dg.DagsterInstance, server: Server) -> None:
        self.instance = instance
        self.server = server

    def create(self, job_name: str) -> dg.DagsterRun:
        job = ReconstructableRepository.for_module("warm_definitions", "defs").get_reconstructable_job(job_name)
        return self.instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())

    def launch(self, job_name: str) -> str:
        run = self.create(job_name)
        self.instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
        return str(run.run_id)

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def until(self, run_id: str, status: dg.DagsterRunStatus, *, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while self.run(run_id).status is not status:
            assert time.monotonic() < deadline, f"{self.run(run_id).status} instead of {status}"
            time.sleep(0.02)

    def health(self, run_id: str) -> WorkerStatus:
        return self.instance.run_launcher.check_run_worker_health(self.run(run_id)).status

    def pid(self) -> int:
        """Of the only run that is alive."""
        children = psutil.Process(self.server.popen.pid).children()
        (pid,) = [child.pid for child in children if started_at(child.pid) is not None]
        return int(pid)


def test_a_real_run_goes_through_the_warm_server(dagster: Dagster) -> None:
    run_id = dagster.launch("quick")
    dagster.until(run_id, dg.DagsterRunStatus.SUCCESS)
    event = dagster.instance.get_latest_materialization_event(dg.AssetKey("numbers"))
    assert event is not None
    materialization = event.asset_materialization
    assert materialization is not None
    assert materialization.metadata["rows"].value == 7
    assert materialization.metadata["parent"].value == dagster.server.popen.pid


def test_a_run_can_be_terminated(dagster: Dagster) -> None:
    run_id = dagster.launch("slow")
    dagster.until(run_id, dg.DagsterRunStatus.STARTED)
    assert dagster.health(run_id) is WorkerStatus.RUNNING
    assert dagster.instance.run_launcher.terminate(run_id)
    dagster.until(run_id, dg.DagsterRunStatus.CANCELED)
    assert not dagster.instance.run_launcher.terminate(run_id)


def test_a_run_whose_process_was_killed_is_found_out(dagster: Dagster) -> None:
    run_id = dagster.launch("slow")
    dagster.until(run_id, dg.DagsterRunStatus.STARTED)
    os.kill(dagster.pid(), signal.SIGKILL)
    dagster.server.until("exit code -9")
    assert dagster.health(run_id) is WorkerStatus.NOT_FOUND
    dagster.instance.report_run_failed(dagster.run(run_id))


def test_a_run_that_was_on_its_way_when_all_was_killed_is_found_out_at_once(dagster: Dagster, folder: Path) -> None:
    """It has said no pid, so only the server that follows can tell: it forked none, and the run is older."""
    run = dagster.create("slow")
    starting = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, job_name=run.job_name)
    dagster.instance.report_dagster_event(starting, run.run_id)
    (record,) = dagster.instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    assert record.dagster_run.status is dg.DagsterRunStatus.STARTING
    assert worker_of(dagster.instance, record) is Worker.UNKNOWN, "it may be on its way to this server"
    server = Server(folder, "tests.ops.warm_server_process")
    try:
        launcher = WarmRunLauncher(socket=str(server.path))
        launcher.register_instance(dagster.instance)
        changed_at = record.update_timestamp.timestamp()
        assert launcher.worker(record.dagster_run, changed_at=changed_at) is Worker.GONE
        said = EngineEventData.in_process(os.getpid())  # the pid of a process that lives, and is none of the server's
        dagster.instance.report_engine_event("Started process for run.", run, said)
        assert launcher.worker(record.dagster_run, changed_at=time.time()) is Worker.GONE
    finally:
        server.end()
        dagster.instance.report_run_failed(dagster.run(run.run_id))


def test_without_a_warm_server_dagsters_own_way_is_tried(dagster: Dagster, folder: Path) -> None:
    launcher = WarmRunLauncher(socket=str(folder / "nobody.sock"))
    launcher.register_instance(dagster.instance)
    run = dagster.create("quick")
    with pytest.raises(DagsterInvariantViolationError, match="DefaultRunLauncher requires a workspace"):
        launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
