"""What the command line does for cache and repos when asked to: rebuild, squash."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import CacheUnusable
from datahub_assets.ops.errors import OpsError
from datahub_assets.ops.supervise import environment, stack
from datahub_assets.ops.supervise.process import start
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import history
from datahub_assets.stores.hub.account import hub_without_cache
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.recovery import rebuild
from datahub_assets.stores.worker_status import WorkerStatusFile
from datahub_system.clock import now_ms

_START_LIMIT_S = 20.0
SQUASH_LOSES = history.SQUASH_LOSES


def chosen(name: str | None) -> Sequence[DatasetSpec]:
    """The dataset of that name, or all.

    Raises:
        OpsError: there is none of that name.
    """
    if name is None:
        return list(DATASETS.values())
    if name not in DATASETS:
        raise OpsError(f"no dataset {name!r}; there are {', '.join(DATASETS)}")
    return [DATASETS[name]]


def rebuild_cache(settings: Settings) -> dict[str, int]:
    """Rebuild the cache from the Hub and clear the error of its damage; returns the rows taken in, by dataset."""
    log = logging.getLogger(__name__)
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    with hub_for_commands(settings) as hub:
        taken = rebuild.rebuild(
            settings.cache_path,
            list(DATASETS.values()),
            hub=hub,
            landing=settings.landing_path,
            now_ms=now_ms(),
            log=log,
        )
    for name in DATASETS:
        WorkerStatusFile(settings.home).resolved(name, code=CacheUnusable.code, now_ms=now_ms())
    return taken


def squash_history(settings: Settings, spec: DatasetSpec) -> history.Squashed:
    """Tag the day, then fold the history into one commit."""
    with hub_for_commands(settings) as hub, Cache.open(settings.cache_path) as cache:
        return history.squash(spec, cache=cache, hub=hub, now_ms=now_ms())


@contextmanager
def hub_for_commands(settings: Settings) -> Iterator[Hub]:
    """The Hub of the settings. The embedded one is started for as long as the block runs, unless it runs already.

    Raises:
        OpsError: the embedded Hub did not start.
    """
    spec = stack.localhub(settings, environment.build(settings)) if settings.embedded_hub else None
    if spec is None or spec.serves():
        yield hub_without_cache(settings)
        return
    process = start(spec)
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while not spec.serves():
            if process.poll() is not None or time.monotonic() > deadline:
                raise OpsError(f"the embedded Hub did not start on port {settings.localhub_port}")
            time.sleep(0.1)
        yield hub_without_cache(settings)
    finally:
        process.terminate()
        process.communicate()
