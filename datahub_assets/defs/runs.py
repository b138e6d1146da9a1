"""Which runs of a chain are alive, and the end of those whose process is gone."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.run_workers import Worker, worker_of

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
BUCKET_TAG = "datahub/bucket"
"""Tag of a run a sensor started: the span of time it was started for."""
START_LIMIT_S = 60.0
"""A run that was made and of whose process nothing is known for so long has none, unless it waits in the queue."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """An unfinished run of a chain: its state, what is known of its process, how long ago it last changed."""

    run_id: str
    status: dg.DagsterRunStatus
    worker: Worker
    idle_s: float

    @property
    def orphaned(self) -> bool:
        """Whether nothing will ever finish it."""
        if self.status is dg.DagsterRunStatus.QUEUED:
            return False
        if self.worker is Worker.UNKNOWN:
            return self.idle_s > START_LIMIT_S
        return self.worker is Worker.GONE

    def told(self) -> str:
        """A few words for a skip reason."""
        return f"run {self.run_id[:8]} is {self.status.value.lower()} since {self.idle_s:.0f} s"


def unfinished(instance: dg.DagsterInstance, spec: DatasetSpec) -> list[LiveRun]:
    """All unfinished runs that touch an asset of the chain, by its job or started by hand."""
    assets = set(chain.keys(spec))
    return _live(
        instance,
        lambda run: run.job_name == chain.job_name(spec) or bool(assets & (run.asset_selection or set())),
    )


def unfinished_of_job(instance: dg.DagsterInstance, job_name: str) -> list[LiveRun]:
    """All unfinished runs of a job."""
    return _live(instance, lambda run: run.job_name == job_name)


def _live(instance: dg.DagsterInstance, wanted: Callable[[dg.DagsterRun], bool]) -> list[LiveRun]:
    records = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    return [
        LiveRun(
            run_id=record.dagster_run.run_id,
            status=record.dagster_run.status,
            worker=worker_of(instance, record),
            idle_s=time.time() - record.update_timestamp.timestamp(),
        )
        for record in records
        if wanted(record.dagster_run)
    ]


def fail_orphans(instance: dg.DagsterInstance, runs: list[LiveRun]) -> list[LiveRun]:
    """Mark the orphaned runs as failed and return the others."""
    for run in runs:
        if run.orphaned:
            found = instance.get_run_by_id(run.run_id)
            if found is not None and not found.is_finished:
                instance.report_run_failed(found, "The process of this run is gone; the next tick goes on.")
    return [run for run in runs if not run.orphaned]


def count_of_bucket(instance: dg.DagsterInstance, spec: DatasetSpec, *, bucket: str) -> int:
    """How many runs the chain's sensor has started for one bucket."""
    wanted = dg.RunsFilter(job_name=chain.job_name(spec), tags={BUCKET_TAG: bucket})
    return instance.get_runs_count(wanted)
