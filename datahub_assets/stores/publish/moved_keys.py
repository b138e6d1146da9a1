"""Finds the sealed files that hold the keys of rows, where a later version of a row may have another time.

For datasets whose `keys_move`: of all others the rows themselves tell it.
"""

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import is_sealed
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.hub.footers import keys_in
from datahub_assets.stores.publish.plans import Plan


def held_in(spec: DatasetSpec, rows: pl.DataFrame, *, base: RepoState, cache: Cache, hub: Hub) -> list[str]:
    """The sealed files of this head that hold keys of these rows. The keys of a file are read once for each content.

    Of a damaged file what counts is what it held before, as far as that was noted.

    Raises:
        HubError: a file of the head could not be fetched.
        HubContentInvalid: it is not what the layout says.
    """
    if rows.is_empty():
        return []
    sealed = {path: file.content_id for path, file in base.files.items() if is_sealed(spec, path)}
    noted = cache.sealed_keys(spec)
    for path in noted.unknown({path: sealed[path] for path in sealed.keys() - base.unreadable}):
        with hub.opened(spec, path, revision=base.head) as file:
            keys = keys_in(spec, file, name=f"{path} at {base.head}")
        noted.note(path, content_id=sealed[path], rows=keys)
    return noted.holding(rows, files=sealed)


def note_written(spec: DatasetSpec, plan: Plan, *, before: RepoState, after: RepoState, cache: Cache) -> None:
    """A commit wrote sealed files: what they hold is known without reading them.

    Those that are not in the plan were rewritten with the rows they had.
    """
    noted = cache.sealed_keys(spec)
    noted.forget(plan.deletes)
    for path, file in after.files.items():
        if not is_sealed(spec, path):
            continue
        if path in plan.writes:
            noted.note(path, content_id=file.content_id, rows=plan.writes[path])
        elif path in before.files and before.files[path].content_id != file.content_id:
            noted.rewritten(path, before=before.files[path].content_id, after=file.content_id)
