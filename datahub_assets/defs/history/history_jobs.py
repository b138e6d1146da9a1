"""The jobs of a dataset's history: one commits what was built, one fills what somebody asked a running hub for."""

import logging

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.error_mapping import failure
from datahub_assets.defs.history import history_runs
from datahub_assets.defs.history.history_sources import OpenSource
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import CacheFull, DataHubError
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.fill import filling, requests, tellings
from datahub_assets.stores.fill.requests import FillState
from datahub_assets.stores.fill.room import see_that_there_is_room
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.publish.publisher import publish

_TOLD_EVERY_MS = 500


def commit_job(spec: DatasetSpec, *, settings: Settings) -> dg.JobDefinition:
    """Publishes between ticks, where the budget has room for more commits than the ticks make.

    It runs in the chain's pool, as two publishes of one cache must not meet.
    """

    @dg.op(
        name=f"commit_{spec.source_asset}_history",
        pool=chain.group(spec),
        required_resource_keys={KEY},
        description="Commit the months that were built, with whatever else waits.",
    )
    def commit(context: dg.OpExecutionContext) -> None:
        datahub: DataHubResource = context.resources.datahub
        try:
            with datahub.cache() as cache:
                hub, limits = datahub.hub(cache), CommitLimits.of(datahub.settings)
                outcome = publish(spec, cache=cache, hub=hub, limits=limits, now_ms=datahub.clock(), log=context.log)
                if outcome.reason is not None:
                    context.log.info(outcome.told(spec))
        except DataHubError as error:
            raise failure(error) from error

    @dg.job(
        name=f"{spec.source_asset}_history_commit_job",
        tags=chain.run_tags(spec, settings),
        description="Commits months of history between ticks.",
    )
    def job() -> None:
        commit()

    return job


def fill_job(spec: DatasetSpec, *, open_source: OpenSource) -> dg.JobDefinition:
    """Fills what the oldest request asks for. Killed, the next run goes on where it was."""

    @dg.op(
        name=f"fill_{spec.source_asset}_history",
        pool=history_runs.POOL,
        required_resource_keys={KEY},
        description="Fill the months that `datahub history fill` or the settings ask for, one after the other.",
    )
    def fill(context: dg.OpExecutionContext) -> None:
        history_runs.begin(context, dataset=spec.name)
        datahub: DataHubResource = context.resources.datahub
        home = datahub.settings.home
        for name, wish in requests.waiting(home, spec.name)[:1]:
            try:
                _fill(name, wish, datahub=datahub, open_source=open_source, log=context.log)
            except DataHubError as error:
                told = requests.state(home, name) or FillState(wish, 0)
                doing = f"trying again soon: {error}"
                requests.note(home, name, FillState(wish, datahub.clock(), told.done, told.total, told.rows, doing))
                raise failure(error) from error

    @dg.job(
        name=f"{spec.source_asset}_history_fill_job",
        tags=history_runs.run_tags(spec.name),
        description="Fills history that was asked for.",
    )
    def job() -> None:
        fill()

    return job


def _fill(name: str, wish: Wish, *, datahub: DataHubResource, open_source: OpenSource, log: logging.Logger) -> None:
    home, settings = datahub.settings.home, datahub.settings
    told_at = 0

    def tell(now: filling.Progress) -> None:
        nonlocal told_at
        if datahub.clock() >= told_at + _TOLD_EVERY_MS:
            told_at = datahub.clock()
            requests.note(home, name, FillState(wish, told_at, now.done, now.total, now.rows, now.doing))

    with history_runs.opened_fill(wish, datahub=datahub, open_source=open_source, log=log, tell=tell) as fill:
        try:
            see_that_there_is_room(wish, series=filling.series_count(fill), home=home, keeps_all=settings.embedded_hub)
            filled = filling.run(fill)
        except (ValueError, CacheFull) as error:
            over = FillState(wish, datahub.clock(), is_over=True, is_well=False, lines=(str(error),))
            requests.note(home, name, over)
            return
    total = len(wish.partitions())
    problems = tellings.problems(filled)
    requests.note(
        home,
        name,
        FillState(
            wish,
            datahub.clock(),
            done=total,
            total=total,
            rows=filled.rows,
            is_over=True,
            is_well=not problems,
            lines=(*tellings.bad_files(filled), *problems),
        ),
    )
