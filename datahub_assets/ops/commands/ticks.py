"""Whether a running stack ticks: a run of each chain begins now and then."""

from typing import Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.run_limits import run_limit_s
from datahub_assets.domain.errors import CacheError
from datahub_assets.domain.times import MINUTE_MS, SECOND_MS, epoch_ms
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import PAUSE_NOTE, Cache
from datahub_assets.stores.worker_status import WorkerStatusFile

SILENT_MS: Final = 5 * MINUTE_MS


def silence(settings: Settings, *, now_ms: int) -> str | None:
    """Which chains have had no run for how long although `datahub up` runs; None when all is well or it is not known.

    A first fill is one long run, and an upstream may have asked for a pause.
    """
    told = WorkerStatusFile(settings.home)
    started_ms = home_lock.started_ms(settings.home)
    if started_ms is None or told.problem() is not None:
        return None
    silent = {}
    for spec in settings.collected:
        chain = told.chain(spec.name)
        last_tick_ms = 0 if chain.last_tick is None else epoch_ms(chain.last_tick)
        last_ms = max(started_ms, last_tick_ms, _pause_until_ms(settings, spec))
        limit_ms = max(SILENT_MS, 2 * settings.tick_of(spec) * SECOND_MS + MINUTE_MS)
        if chain.last_success is None and chain.last_tick is not None:
            limit_ms = max(limit_ms, run_limit_s(spec, settings) * SECOND_MS)
        if now_ms - last_ms > limit_ms:
            silent[spec.name] = (now_ms - last_ms) // MINUTE_MS
    if not silent:
        return None
    chains = ", ".join(f"{name} for {minutes} minutes" for name, minutes in silent.items())
    return f"`datahub up` runs, but no run began: {chains}"


def way_out(settings: Settings) -> str:
    """What to do about silence."""
    logs = settings.home / "logs"
    return (
        f"see {logs / 'daemon.log'} and {logs / 'runs.log'}; if Dagster's storage is damaged: stop, remove "
        f"{settings.dagster_home}, start again (the history of runs goes, no data)"
    )


def _pause_until_ms(settings: Settings, spec: DatasetSpec) -> int:
    if not settings.cache_path.is_file():
        return 0
    try:
        with Cache.open(settings.cache_path) as cache:
            return int(cache.note(spec, PAUSE_NOTE, default=0))
    except CacheError:  # has a check of its own
        return 0
