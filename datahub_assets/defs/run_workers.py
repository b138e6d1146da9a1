"""Whether the process of a Dagster run still lives, whichever launcher started it."""

from enum import Enum

import dagster as dg
import psutil

_CLOCK_SLACK_S = 2.0


class Worker(Enum):
    """What is known about the process of a run."""

    UNKNOWN = "unknown"
    """It has not said its pid (yet)."""
    ALIVE = "alive"
    GONE = "gone"


def worker_of(instance: dg.DagsterInstance, run_id: str) -> Worker:
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
