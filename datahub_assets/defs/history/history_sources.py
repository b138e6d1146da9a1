"""A dataset's source of history, by its package's name: `history_source` in the module `history`."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from datahub_assets.datasets.registry import PACKAGES
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.domain.files.partitions import keys_move
from datahub_assets.domain.history import HistorySource
from datahub_assets.domain.tables import ByTime
from datahub_assets.settings import Settings


class OpenSource(Protocol):
    """Opens a source of history, for a `with`."""

    def __call__(
        self, settings: Settings, *, clock: Callable[[], int], log: logging.Logger, beside_live: bool
    ) -> AbstractContextManager[HistorySource]:
        """The source by these settings; `clock` gives epoch ms.

        Args:
            beside_live: whether this home's chains run at the same time: what upstream allows is theirs first.
        """
        ...


def source_of(spec: DatasetSpec, *, package: str | None = None) -> OpenSource | None:
    """How the dataset's source of history is opened; None for one that has none.

    Raises:
        DatasetInvalid: it has one, and its files or keys are none that history can be merged into.
    """
    package = package or next((name for name, one in PACKAGES.items() if one.name == spec.name), None)
    if package is None or spec.history is None or find_spec(f"{package}.history") is None:
        return None
    found = getattr(import_module(f"{package}.history"), "history_source", None)
    if not callable(found):
        raise DatasetInvalid(f"dataset {spec.name!r}: {package}.history.history_source must open its source of history")
    if not isinstance(spec.partitioning, ByTime) or keys_move(spec):
        raise DatasetInvalid(f"dataset {spec.name!r}: history needs files by time, and the time in the key")
    return cast("OpenSource", found)
