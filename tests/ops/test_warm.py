"""The warm server: it forks, ends and survives children; and a real Dagster run through it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.launcher.base import LaunchRunContext, ResumeRunContext, WorkerStatus

from datahub_assets.ops import environment
from datahub_assets.ops.linux import started_at
from datahub_assets.ops.warm.launcher import WarmRunLauncher
from datahub_assets.ops.warm.protocol import Launch, Reply, Stop, ask, decode, encode
from datahub_assets.ops.warm.server import IDLE_THREADS, READY
from datahub_assets.settings import Settings

SLEEPS = "import time; time.sleep(600)"


class Server:
    """A warm server in a process of its own."""

    def __init__(self, folder: Path, *command: str, env: dict[str, str] | None = None) -> None:
        self.path = folder / "warm.sock"
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *command, str(self.path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.until(READY)

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()

    def until(self, fragment: str) -> str:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if fragment in line:
                return line
        raise AssertionError(f"{fragment!r} was not said; exit code {self.popen.wait()}")

    def launch(self, code: str, run_id: str = "r1") -> int:
        pid = ask(self.path, Launch(run_id=run_id, arguments=(code,)), timeout_s=5).pid
        assert pid is not None
        return pid

    def stop(self, run_id: str = "r1", *, grace_s: float = 5) -> int | None:
        return ask(self.path, Stop(run_id=run_id, grace_s=grace_s), timeout_s=5).pid


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="warm-") as name:  # short: a socket's path has 107 bytes at most
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(*command: str, env: dict[str, str] | None = None) -> Server:
        servers.append(Server(folder, *command, env=env))
        return servers[-1]

    yield begin
    for server in servers:
        server.end()


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start("tests.ops.warm_rig")


def gone(pid: int, timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while started_at(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("message", [Launch("r", ("a", "b")), Stop("r", 1.5), Reply(7), Reply(None)])
def test_messages_come_back_as_they_were(message: Launch | Stop | Reply) -> None:
    assert decode(encode(message)) == message


def test_only_its_owner_can_open_the_socket(server: Server) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600


def test_a_child_does_its_work_in_a_process_of_its_own(server: Server, folder: Path) -> None:
    result = folder / "result"
    child = server.launch(f"import os; from pathlib import Path; Path({str(result)!r}).write_text(str(os.getpid()))")
    assert gone(child)
    assert result.read_text() == str(child) != str(server.popen.pid)


def test_a_crash_is_told_and_the_server_goes_on(server: Server) -> None:
    server.launch("import os; os._exit(3)", run_id="crashed")
    assert "run crashed ended after" in server.until("exit code 3")
    assert gone(server.launch("pass"))


def test_a_child_is_stopped_politely(server: Server) -> None:
    child = server.launch(SLEEPS)
    assert server.stop() == child
    assert gone(child)
    assert "exit code -15" in server.until(" ended ")
    assert server.stop() is None


def test_a_child_is_stopped_politely_before_it_has_begun(start: Callable[..., Server]) -> None:
    server = start("tests.ops.warm_rig", env={"RIG_SLOW_FORK_S": "0.5"})
    child = server.launch(SLEEPS)
    assert server.stop() == child
    assert "exit code -15" in server.until(" ended ")


def test_a_child_that_will_not_stop_is_killed_after_its_grace(server: Server) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    child = server.launch(f"{deaf}; {SLEEPS}")
    server.until("deaf")
    server.stop(grace_s=0.2)
    assert "exit code -9" in server.until(" ended ")
    assert gone(child)


def test_children_end_with_the_server(server: Server) -> None:
    child = server.launch(SLEEPS)
    server.popen.terminate()
    assert server.popen.wait(timeout=10) == 0
    assert gone(child)
    assert not server.path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_children_end_with_a_server_that_is_killed(server: Server) -> None:
    child = server.launch(SLEEPS)
    server.popen.kill()
    assert gone(child)


def test_garbage_does_not_disturb_it(server: Server) -> None:
    for garbage in (b"{}\n", b"no json\n", b"", b'{"kind": "Reply", "pid": 1}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
    assert gone(server.launch("pass"))


def test_what_runs_import_starts_no_threads(tmp_path: Path) -> None:
    environments = environment.build(Settings.from_env({"DATAHUB_HOME": str(tmp_path)}), {"PATH": os.environ["PATH"]})
    code = (
        "import json; from datahub_assets.ops import linux; from datahub_assets.ops.warm import dagster_work\n"
        "dagster_work.load('datahub_assets.definitions'); print(json.dumps(linux.other_threads()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environments.forking, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) <= IDLE_THREADS


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


def test_a_run_can_be_resumed_in_a_new_process(dagster: Dagster) -> None:
    run_id = dagster.launch("slow")
    dagster.until(run_id, dg.DagsterRunStatus.STARTED)
    os.kill(dagster.pid(), signal.SIGKILL)
    dagster.server.until("exit code -9")
    launcher = dagster.instance.run_launcher
    assert launcher.supports_resume_run
    launcher.resume_run(ResumeRunContext(dagster_run=dagster.run(run_id), workspace=None, resume_attempt_number=1))
    deadline = time.monotonic() + 30
    while dagster.health(run_id) is not WorkerStatus.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert launcher.terminate(run_id)
    dagster.until(run_id, dg.DagsterRunStatus.CANCELED)


def test_without_a_warm_server_dagsters_own_way_is_tried(dagster: Dagster, folder: Path) -> None:
    launcher = WarmRunLauncher(socket=str(folder / "nobody.sock"))
    launcher.register_instance(dagster.instance)
    run = dagster.create("quick")
    with pytest.raises(DagsterInvariantViolationError, match="DefaultRunLauncher requires a workspace"):
        launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    with pytest.raises(ConnectionError, match="no warm server"):
        launcher.resume_run(ResumeRunContext(dagster_run=run, workspace=None))
