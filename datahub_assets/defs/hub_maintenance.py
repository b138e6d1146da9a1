"""`hub_maintenance`: squash histories that have grown long. Its schedule stays stopped until somebody starts it."""

import dagster as dg

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.stores.hub.history import (
    MAINTENANCE_SCHEDULE,
    MANY_COMMITS,
    SQUASH_LOSES,
    commit_count,
    squash,
)


@dg.op(required_resource_keys={KEY}, description=f"Squash every dataset with more than {MANY_COMMITS} commits.")
def squash_long_histories(context: dg.OpExecutionContext) -> None:
    """Tag the day and squash, dataset by dataset."""
    datahub: DataHubResource = context.resources.datahub
    if datahub.settings.hub_drops_history:
        context.log.info("the embedded Hub keeps its histories short itself (DATAHUB_KEEP_HISTORY_DAYS): nothing to do")
        return
    with datahub.cache() as cache:
        hub = datahub.hub(cache)
        for spec in DATASETS.values():
            try:
                count = commit_count(spec, cache=cache, hub=hub)
            except HubNotFound:
                context.log.info("%s is not on the Hub", hub.repo_id(spec))
                continue
            if count <= MANY_COMMITS:
                context.log.info("%s has %d commits: left as it is", hub.repo_id(spec), count)
                continue
            squashed = squash(spec, cache=cache, hub=hub, now_ms=datahub.clock())
            context.log.info("squashed %d commits of %s; tag %s", count, hub.repo_id(spec), squashed.tag)


@dg.job(description=SQUASH_LOSES)
def hub_maintenance() -> None:
    """Squash what has grown long."""
    squash_long_histories()


hub_maintenance_schedule = dg.ScheduleDefinition(
    name=MAINTENANCE_SCHEDULE,
    job=hub_maintenance,
    cron_schedule="17 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every day at 03:17 UTC, once it is switched on.",
)
