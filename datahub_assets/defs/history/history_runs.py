"""What all runs of history have in common: they give way to live ones."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from datahub_assets.defs.history.history_sources import OpenSource
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.stores.fill.filling import Fill, Progress, no_progress
from datahub_assets.stores.fill.wishes import Wish

POOL: Final = "history"
MOST_RUNS: Final = 2
"""Runs of history at once, of all datasets together."""
TAG: Final = "datahub/history"
"""Tag of every run of history: the dataset."""
RUN_LIMIT_S: Final = 6 * 3600
"""A run of history counts as stuck after this long; what it has built until then stays."""
_NICENESS: Final = 10


def run_tags(dataset: str) -> dict[str, str]:
    """Tags of such a run. Its priority is Dagster's own, 0, which is below that of live runs."""
    return {TAG: dataset, "dagster/max_runtime": str(RUN_LIMIT_S)}


def begin(context: dg.OpExecutionContext | dg.AssetExecutionContext, *, dataset: str) -> None:
    """Tag a run that Dagster started for a partition, which has no tags of a job of ours, and let it give way."""
    context.instance.add_run_tags(context.run.run_id, run_tags(dataset))
    if not context.instance.is_ephemeral:  # there the process is somebody else's
        os.nice(_NICENESS)


@contextmanager
def opened_fill(
    wish: Wish,
    *,
    datahub: DataHubResource,
    open_source: OpenSource,
    log: logging.Logger,
    tell: Callable[[Progress], None] = no_progress,
) -> Iterator[Fill]:
    """A fill whose commits the chain makes, or the job that commits between ticks."""
    settings = datahub.settings
    with datahub.cache() as cache, open_source(settings, clock=datahub.clock, log=log, beside_live=True) as source:
        yield Fill(
            wish=wish,
            source=source,
            hub=datahub.hub(cache),
            home=settings.home,
            log=log,
            clock=datahub.clock,
            sleep=time.sleep,
            commit=lambda: None,
            tell=tell,
        )


def allow_runs(instance: dg.DagsterInstance) -> None:
    """Give the pool its slots; dagster.yaml can say one number for all pools only."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    if {one.name: one.limit for one in storage.get_pool_limits()}.get(POOL) != MOST_RUNS:
        storage.set_concurrency_slots(POOL, MOST_RUNS)
