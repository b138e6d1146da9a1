"""Whether the process of a Dagster run still lives: the launcher says, or else the pid that the run has told."""

from enum import Enum
from typing import Protocol, runtime_checkable

import dagster as dg
import psutil

_CLOCK_SLACK_S = 2.0


class Worker(Enum):
    """What is known about the process of a run."""

    UNKNOWN = "unknown"
    """It has not said its pid (yet)."""
    ALIVE = "alive"
    GONE = "gone"


@runtime_checkable
class KnowsWorkers(Protocol):
    """A run launcher that knows the processes it started."""

    def worker(self, run: dg.DagsterRun, *, changed_at: float) -> Worker:
        """What is known of the process of an unfinished run; `changed_at`: epoch s of the last change of its status."""


def worker_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> Worker:
    """What the launcher knows of the process of a run; what its pid tells, with a launcher that knows nothing."""
    launcher, run = instance.run_launcher, record.dagster_run
    if isinstance(launcher, KnowsWorkers):
        return launcher.worker(run, changed_at=record.update_timestamp.timestamp())
    return worker_by_pid(instance, run.run_id)


def worker_by_pid(instance: dg.DagsterInstance, run_id: str) -> Worker:
    """Look at the last process that said "Started process for run": its pid, and that it is no later one's.

    A pid alone proves nothing, as pids are reused; a process that started after the run reported its pid is another
    one.
    """
    said = [
        (int(entry.value), event.timestamp)
        for event in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        if event.dagster_event is not None
        for label, entry in event.dagster_event.engine_event_data.metadata.items()
        if label == "pid" and isinstance(entry, dg.TextMetadataValue) and entry.value and entry.value.isdigit()
    ]
    if not said:
        return Worker.UNKNOWN
    pid, said_at = said[-1]
    start = started_at(pid)
    return Worker.ALIVE if start is not None and start <= said_at + _CLOCK_SLACK_S else Worker.GONE


def started_at(pid: int) -> float | None:
    """Epoch seconds at which the process with this pid started; None when there is no live one."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None
