"""Old runs leave Dagster's database here, a few at a time, so that it stays small. Rows and commits are not touched.

A run weighs about 110 KiB with its events: at two a minute, half a day is 160 MiB.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from datahub_assets.defs.history import history_runs

KEPT = timedelta(hours=12)
KEPT_FAILED = timedelta(days=7)
MOST_AT_ONCE = 200
_INTERVAL_S = 600


@dg.sensor(
    name="run_retention_sensor",
    minimum_interval_seconds=_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes runs that succeeded more than 12 hours ago, others after seven days.",
)
def run_retention_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Delete what is old; there is never a run to start."""
    deleted = delete_old(context.instance, now=datetime.now(UTC))
    return dg.SkipReason(f"deleted {deleted} old runs")


def delete_old(instance: dg.DagsterInstance, *, now: datetime) -> int:
    """Delete finished runs past their time, the oldest first; returns how many."""
    succeeded = _older(instance, [dg.DagsterRunStatus.SUCCESS], before=now - KEPT)
    others = _older(instance, [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED], before=now - KEPT_FAILED)
    for run_id in [*succeeded, *others]:
        instance.delete_run(run_id)
    _forget_checks(instance, before=now - KEPT)
    return len(succeeded) + len(others)


def _older(instance: dg.DagsterInstance, statuses: list[dg.DagsterRunStatus], *, before: datetime) -> list[str]:
    """Those of history stay: with its run a partition would lose its materialization."""
    wanted = dg.RunsFilter(statuses=statuses, created_before=before)
    found: list[str] = []
    cursor = None
    while len(found) < MOST_AT_ONCE:
        page = instance.get_runs(wanted, cursor=cursor, limit=MOST_AT_ONCE, ascending=True)
        found += [run.run_id for run in page if history_runs.TAG not in run.tags]
        if len(page) < MOST_AT_ONCE:
            break
        cursor = page[-1].run_id
    return found[:MOST_AT_ONCE]


def _forget_checks(instance: dg.DagsterInstance, *, before: datetime) -> None:
    """Drop old evaluations of asset checks: deleting their run leaves them, and there are sixteen every minute."""
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            old = AssetCheckExecutionsTable.c.create_timestamp < before.astimezone(UTC).replace(tzinfo=None)
            connection.execute(AssetCheckExecutionsTable.delete().where(old))
