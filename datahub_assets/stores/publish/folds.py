"""Which windows of a repo are due to be folded into the file of their period, and their rows.

A period whose windows are many is folded in one commit, so that its file is written once; several periods that end at
once, as at midnight, take several commits when they are large.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Final

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubFileDamaged
from datahub_assets.domain.files.data_files import folds_into
from datahub_assets.domain.files.partitions import may_hold
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.publish.head_files import leave, whole
from datahub_assets.stores.publish.work import Work

MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes of window files in one commit, but always those of one period: it bounds the memory a fold takes."""


def due(spec: DatasetSpec, base: RepoState, *, window_start: int) -> list[str]:
    """The windows whose period is over, period by period; none that are damaged, or whose period's file is."""
    into = {path: folds_into(spec, path, window_start=window_start) for path in base.files}
    found = [(target, path) for path, target in into.items() if target is not None]
    return [path for target, path in sorted(found) if not {target, path} & base.unreadable]


def rows_to_fold(work: Work, base: RepoState, *, window_start: int) -> Mapping[str, pl.DataFrame]:
    """The rows of windows to fold in the next commit, by path.

    One that turns out to be damaged is left as it is, and so are those whose rows belong in a file that is.

    Raises:
        HubError: one could not be fetched.
    """
    found: dict[str, pl.DataFrame] = {}
    taken = 0
    paths = due(work.spec, base, window_start=window_start)
    for _, windows in groupby(paths, key=lambda path: folds_into(work.spec, path, window_start=window_start)):
        chosen = list(windows)
        size = sum(base.files[path].size for path in chosen)
        if found and taken + size > MOST_BYTES:
            break
        taken += size
        for path in chosen:
            rows = _rows(work, base, path)
            if rows is not None and not may_hold(work.spec, rows) & base.unreadable:
                found[path] = rows
    return found


def _rows(work: Work, base: RepoState, path: str) -> pl.DataFrame | None:
    content = whole(work, base, path)
    try:
        return layout.read(work.spec, content, name=f"{path} at {base.head}", to_rewrite=True)
    except HubFileDamaged as error:
        leave(work, base, path, error)
        return None
