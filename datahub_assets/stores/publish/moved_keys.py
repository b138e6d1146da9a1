"""Finds the sealed files that hold the keys of rows, where a later version of a row may have another time.

Of a dataset whose key holds the time, the rows themselves tell it, and nothing is asked or noted here.
"""

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.partitions import is_sealed, keys_move
from datahub_assets.stores.cache import sealed_keys
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.plans import Plan


def held_in(spec: DatasetSpec, rows: pl.DataFrame, *, base: RepoState, cache: Cache, hub: Hub) -> list[str]:
    """The sealed files of this head that hold keys of these rows. The keys of a file are read once for each content.

    Raises:
        HubError: a file of the head could not be fetched.
        HubContentInvalid: it is not what the layout says.
    """
    if not keys_move(spec) or rows.is_empty():
        return []
    sealed = {path: file.content_id for path, file in base.files.items() if is_sealed(spec, path)}
    for path in sealed_keys.unknown(cache.database, spec, sealed):
        with hub.opened(spec, path, revision=base.head) as file:
            keys = layout.keys(spec, file, name=f"{path} at {base.head}")
        sealed_keys.note(cache.database, spec, path, content_id=sealed[path], rows=keys)
    return sealed_keys.holding(cache.database, spec, rows, files=sealed)


def note_written(spec: DatasetSpec, plan: Plan, *, after: RepoState, cache: Cache) -> None:
    """A commit wrote these files: what they hold is known without reading them."""
    if not keys_move(spec):
        return
    for path, rows in plan.writes.items():
        if is_sealed(spec, path):
            content_id = after.files[path].content_id
            sealed_keys.note(cache.database, spec, path, content_id=content_id, rows=rows)
