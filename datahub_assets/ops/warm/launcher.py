"""Dagster's run launcher for the warm server. It starts and ends runs through the server, and says whether they are
alive."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import DagsterRun, Field, StringSource
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.origin import JobPythonOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData

from datahub_assets.defs.run_workers import Worker, worker_by_pid, worker_of
from datahub_assets.ops.warm.protocol import Launch, Look, Stop, ask

_ANSWER_S = 10.0
_GRACE_S = 15.0
_LOOK_S = 3.0
_RUNS_END_WITH_SERVER = sys.platform == "linux"  # see `die_with_parent`
_log = logging.getLogger(__name__)


class WarmRunLauncher(DefaultRunLauncher):
    """Launches runs by forking the warm server; while that is away, as Dagster's default launcher does."""

    def __init__(self, socket: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data=inst_data)
        self._socket = Path(socket)

    @classmethod
    def config_type(cls) -> Any:
        """Its configuration in dagster.yaml: the path of the server's socket."""
        return {"socket": Field(StringSource)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Build it from dagster.yaml."""
        return cls(socket=config_value["socket"], inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run; it is on its way when this returns."""
        run = context.dagster_run
        arguments = ExecuteRunArgs(
            job_origin=_origin(run),
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=None,
        ).get_command_args()
        if not self._ask_for(run, arguments):
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """End the run, by force when it does not stop in time; False when there is nothing to end."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)  # first, so that the run ends as cancelled and not as failed
        try:
            if ask(self._socket, Stop(run_id=run_id, grace_s=_GRACE_S), timeout_s=_ANSWER_S).pid is not None:
                return True
        except OSError as error:
            _log.warning("the warm server is away (%s): run %s is not its own", error, run_id)
        return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Runs are local processes: whether they live can be seen."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run lives."""
        record = self._instance.get_run_record_by_id(run.run_id)
        if record is not None and worker_of(self._instance, record) is Worker.GONE:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, msg="the run's process is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def worker(self, run: DagsterRun, *, changed_at: float) -> Worker:
        """What is known of the process of an unfinished run; `changed_at`: epoch s of the last change of its status.

        The server knows the runs it forked, which end with it. One that it does not know has no process, unless it is
        on its way there: then it changed since the server began, and has not said its pid.
        """
        told = worker_by_pid(self._instance, run.run_id)
        if GRPC_INFO_TAG in run.tags or not _RUNS_END_WITH_SERVER:  # started cold, or may have outlived its server
            return told
        try:
            reply = ask(self._socket, Look(run_id=run.run_id), timeout_s=_LOOK_S)
        except OSError:
            return told
        if reply.pid is not None:
            return Worker.ALIVE
        return Worker.UNKNOWN if told is Worker.UNKNOWN and changed_at >= reply.since else Worker.GONE

    def _ask_for(self, run: DagsterRun, command: Any) -> bool:
        """Ask the server for a child that does `<python> -m dagster api <arguments>`; False when it is away."""
        command = list(command)
        arguments = tuple(command[command.index("api") + 1 :])
        try:
            ask(self._socket, Launch(run_id=run.run_id, arguments=arguments), timeout_s=_ANSWER_S)
        except OSError as error:
            _log.warning("the warm server is away (%s): run %s starts cold", error, run.run_id)
            return False
        return True


def _origin(run: DagsterRun) -> JobPythonOrigin:
    if run.job_code_origin is None:
        raise ValueError(f"run {run.run_id} does not say where its code is")
    return run.job_code_origin
