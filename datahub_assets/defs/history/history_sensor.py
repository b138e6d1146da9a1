"""When history is committed and filled: when there is something to do, and the budget allows it."""

from collections.abc import Callable
from typing import cast

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import runs
from datahub_assets.defs.history import history_runs
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.domain.errors import CacheError
from datahub_assets.domain.history import Month
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.fill import requests
from datahub_assets.stores.fill.wishes import Wish
from datahub_assets.stores.history import reports

Evaluate = Callable[[dg.SensorEvaluationContext], dg.RunRequest | dg.SkipReason]
INTERVAL_S = 10
AGAIN_MS = MINUTE_MS
"""A fill that ended too early, its process killed or its source out of order, is begun again this much later."""
UNWELL_AGAIN_MS = HOUR_MS
"""One of the settings that left something open is begun again this much later."""


def commit_sensor(spec: DatasetSpec, *, job_name: str) -> dg.SensorDefinition:
    """Starts the job that commits, running from the start."""

    @_sensor(job_name, description=f"Commits what was built of the history of {spec.title.lower()}, between ticks.")
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        datahub: DataHubResource = context.resources.datahub
        if not may_commit(spec, datahub):
            return dg.SkipReason("nothing was built that could be committed now")
        if runs.unfinished(context.instance, spec) or _goes_on(context.instance, job_name):
            return dg.SkipReason("a run that publishes goes on: a tick's takes along what waits")
        return dg.RunRequest()

    return sensor


def fill_sensor(spec: DatasetSpec, *, job_name: str) -> dg.SensorDefinition:
    """Starts the job that fills, running from the start."""

    @_sensor(job_name, description=f"Fills the history of {spec.title.lower()} as was asked for.")
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        datahub: DataHubResource = context.resources.datahub
        history_runs.allow_runs(context.instance)
        ask_for_settings(spec, datahub)
        if not may_fill(spec, datahub):
            return dg.SkipReason("nothing is to be filled now")
        if _goes_on(context.instance, job_name):
            return dg.SkipReason("a fill goes on")
        return dg.RunRequest()

    return sensor


def _sensor(job_name: str, *, description: str) -> Callable[[Evaluate], dg.SensorDefinition]:
    decorator = dg.sensor(
        name=job_name.replace("_job", "_sensor"),
        job_name=job_name,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={KEY},
        description=description,
    )
    return cast("Callable[[Evaluate], dg.SensorDefinition]", decorator)


def may_commit(spec: DatasetSpec, datahub: DataHubResource) -> bool:
    """Whether something that was built waits, and the budget allows a commit."""
    if not reports.pending(datahub.settings.home, spec):
        return False
    try:
        with datahub.cache() as cache:
            wait = cache.budget.wait(spec, limits=CommitLimits.of(datahub.settings), now_ms=datahub.clock())
    except CacheError:
        return False
    return wait.ms == 0


def may_fill(spec: DatasetSpec, datahub: DataHubResource) -> bool:
    """Whether a fill was asked for, and is not waiting to be begun again."""
    for name, _ in requests.waiting(datahub.settings.home, spec.name)[:1]:
        state = requests.state(datahub.settings.home, name)
        return state is None or datahub.clock() >= state.updated_at + AGAIN_MS
    return False


def ask_for_settings(spec: DatasetSpec, datahub: DataHubResource) -> None:
    """Ask for what the settings want to have filled, unless that was done already."""
    wish = wish_of_settings(spec, datahub)
    if wish is None:
        return
    home, name = datahub.settings.home, f"{requests.OF_SETTINGS}-{spec.name}"
    known = requests.state(home, name)
    if known is not None and known.is_over and known.wish == wish:
        if known.is_well or datahub.clock() < known.updated_at + UNWELL_AGAIN_MS:
            return
        requests.forget(home, name)
    if (name, wish) not in requests.waiting(home, spec.name):
        requests.forget(home, name)
        requests.ask(home, wish, name=name)


def wish_of_settings(spec: DatasetSpec, datahub: DataHubResource) -> Wish | None:
    """What the settings want to have filled: until the last month that is over, by a day as its files may be late."""
    settings = datahub.settings.of(spec.settings)
    first, groups = settings.history_since, settings.history_groups or spec.groups or ("",)
    if first is None:
        return None
    last = Month.at(datahub.clock() - DAY_MS).previous
    return None if last < first else Wish(spec.name, str(first), str(last), groups)


def _goes_on(instance: dg.DagsterInstance, job_name: str) -> bool:
    return bool(runs.fail_orphans(instance, runs.unfinished_of_job(instance, job_name)))
