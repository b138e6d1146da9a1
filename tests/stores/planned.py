"""Commits that are planned and applied to files in memory, and rows for them."""

import polars as pl

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.files.data_files import folds_into, is_data, is_sealed, is_small
from datahub_assets.domain.files.partitions import keys_move, live_name
from datahub_assets.stores.publish.plans import Plan, plan

Files = dict[str, pl.DataFrame]


def published(files: Files) -> pl.DataFrame:
    return pl.concat([frame for path, frame in files.items() if is_data(path)])


def commit(spec: DatasetSpec, files: Files, new: pl.DataFrame, *, window_start: int, now_ms: int) -> Plan:
    """Plan and apply, as a commit does; sealed files are fetched only when asked for."""
    sealed = {path: frame for path, frame in files.items() if is_sealed(spec, path)}
    held_in = {path for path, rows in sealed.items() if rows.join(new, on=list(spec.key), how="semi").height}
    step = plan(
        spec,
        small={path: frame for path, frame in files.items() if is_small(spec, path)},
        new=new,
        window_start=window_start,
        live=live_name(now_ms),
        load=sealed.__getitem__,
        sealed=sealed,
        also={
            *(path for path in sealed if folds_into(spec, path, window_start=window_start)),
            *(held_in if keys_move(spec) else ()),
        },
    )
    before = sum(frame.height for frame in files.values())
    assert not set(step.deletes) & set(step.writes)
    for path in step.deletes:
        del files[path]
    files.update(step.writes)
    assert sum(frame.height for frame in files.values()) - before == step.rows_added
    return step
