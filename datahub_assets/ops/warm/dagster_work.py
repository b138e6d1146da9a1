"""What a warm child does: Dagster's own `dagster api execute_run`, called instead of started; and, before any run, the
end of those that an `up` which was killed has left.
"""

import importlib
from collections.abc import Sequence

# Modules that Dagster imports late, when a run begins; imported early here, so that no run waits for them.
LATE_IMPORTS: tuple[str, ...] = (
    "dagster._cli.api",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.run_coordinator.queued_run_coordinator",
    "dagster._core.executor.in_process",
    "dagster._core.execution.plan.instance_concurrency_context",
    "datahub_assets.ops.warm.launcher",
)


def load(code_module: str) -> None:
    """Import what runs need and build the repository of `code_module` (a module with one Definitions object)."""
    for name in LATE_IMPORTS:
        importlib.import_module(name)
    from dagster._core.definitions.reconstruct import ReconstructableRepository  # noqa: PLC0415

    repository = ReconstructableRepository.for_module(code_module, "defs").get_definition()
    for job_name in repository.job_names:
        repository.get_job(job_name)


def work(arguments: Sequence[str]) -> int:
    """Run `dagster api` with these arguments in this process; gives its exit code."""
    from dagster._cli.api import api_cli  # noqa: PLC0415

    try:
        api_cli.main(list(arguments), standalone_mode=False)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1
    return 0


def fail_orphans() -> int:
    """Mark the runs of all chains as failed whose processes are gone; gives the exit code.

    As a sensor's tick does, but at once: what waits in the queue behind such a run need not wait for that.
    """
    import dagster as dg  # noqa: PLC0415

    from datahub_assets.datasets.registry import DATASETS  # noqa: PLC0415
    from datahub_assets.defs import runs  # noqa: PLC0415

    with dg.DagsterInstance.get() as instance:
        for spec in DATASETS.values():
            runs.fail_orphans(instance, runs.unfinished(instance, spec))
    return 0
