"""What every asset works with: settings, a clock, the cache, the Hub. The one Dagster resource.

A plain object on purpose: the fields of a ConfigurableResource show in Dagster's UI, and tokens must not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.account import hub_of
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.worker_status import WorkerStatusFile
from datahub_system.clock import now_ms

KEY = "datahub"


@dataclass(frozen=True, slots=True)
class DataHubResource:
    """What every asset uses. `clock` gives epoch milliseconds UTC."""

    settings: Settings
    clock: Callable[[], int] = now_ms

    def cache(self) -> Cache:
        """The SQLite cache, open; use it in a `with`."""
        return Cache.open(self.settings.cache_path)

    def hub(self, cache: Cache) -> Hub:
        """The Hub that holds the datasets, with the token that writes to it; the cache remembers whose it is."""
        return hub_of(self.settings, cache)

    @property
    def landing(self) -> Path:
        """Where source assets land their rows."""
        return self.settings.landing_path

    @property
    def status(self) -> WorkerStatusFile:
        """What the rest of the product is told about the chains."""
        return WorkerStatusFile(self.settings.home)
