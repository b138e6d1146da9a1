"""What the steps of a publish work with."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub

FOLDER: Final = "rewritten"
"""In the home, beside the cache: what was rewritten and is not committed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One dataset, the cache its rows wait in, the Hub they go to, the time (epoch ms) and a log for a person."""

    spec: DatasetSpec
    cache: Cache
    hub: Hub
    now_ms: int
    log: logging.Logger

    @property
    def spool(self) -> Path:
        """Folder of files that were rewritten for the next commit."""
        return self.cache.folder / FOLDER / self.spec.name
