"""A new cache from the Hub, when the old file is damaged or lost. The Hub is only read here."""

import logging
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Final

import polars as pl

from datahub_assets.datasets.ledgers import GAPS, ledgers_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import DataHubError, HubFileDamaged, HubNotFound
from datahub_assets.domain.files.data_files import is_placed, is_sealed, is_small
from datahub_assets.domain.files.partitions import keys_move
from datahub_assets.domain.times import utc_datetime
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.head import look
from datahub_assets.stores.publish.head_files import leave, whole
from datahub_assets.stores.publish.work import Work
from datahub_assets.stores.recovery.salvage import carry_over

_LOG = logging.getLogger(__name__)
_BESIDE: Final = ("-wal", "-shm")


def rebuild(
    path: Path, specs: Sequence[DatasetSpec], *, hub: Hub, landing: Path, now_ms: int, log: logging.Logger = _LOG
) -> dict[str, int]:
    """Make a new cache of what the Hub holds, and set the old file aside once that is done.

    What the old cache knows and the Hub does not is carried over as far as the file can be read, see `salvage`; rows
    go to the landing folder, from where the next tick takes them. What cannot be read is lost, unless upstream still
    has it: rows are asked for again from each series' last one on the Hub.

    Args:
        path: the cache.        landing: folder of the landing files.

    Returns:
        Rows taken in, by dataset.

    Raises:
        HubError: the Hub could not be read; nothing has changed.
        CacheError: the new file or a landing file cannot be written; the old cache is still in its place.
    """
    fresh = path.with_name(f"{path.name}.new")
    _remove(fresh)
    try:
        with Cache.open(fresh) as cache:
            taken = {spec.name: from_hub(spec, cache=cache, hub=hub, now_ms=now_ms, log=log) for spec in specs}
            if path.exists():
                carry_over(path, specs, cache=cache, hub=hub, landing=landing, now_ms=now_ms, log=log)
    except DataHubError:
        _remove(fresh)
        raise
    aside = move_aside(path, now_ms=now_ms)
    fresh.replace(path)
    if aside is not None:
        log.info("the old cache is kept as %s", aside)
    return taken


def move_aside(path: Path, *, now_ms: int) -> Path | None:
    """Rename the cache and what SQLite keeps beside it to a name of their own; None when there is no cache."""
    if not path.exists():
        return None
    stamp = f"{utc_datetime(now_ms):%Y%m%dT%H%M%S}"
    names = chain([stamp], (f"{stamp}-{number}" for number in count(2)))
    aside = next(one for name in names if not (one := path.with_name(f"{path.name}.aside-{name}")).exists())
    for suffix in _BESIDE:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return path.replace(aside)


def _remove(path: Path) -> None:
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def from_hub(spec: DatasetSpec, *, cache: Cache, hub: Hub, now_ms: int, log: logging.Logger) -> int:
    """Take what the Hub holds of a dataset into a cache that knows nothing of it; returns the rows taken in.

    There are none when there is no such dataset yet.

    Raises:
        HubError: the Hub could not be read.        CacheError: the cache cannot be written.
    """
    try:
        hub.head(spec)
    except HubNotFound:
        log.info("%s is not on the Hub yet", hub.repo_id(spec))
        return 0
    taken = _take_in(Work(spec=spec, cache=cache, hub=hub, now_ms=now_ms, log=log))
    log.info("took %s rows of %s from the Hub", f"{taken:,}", hub.repo_id(spec))
    return taken


def _take_in(work: Work) -> int:
    """Rows, series and ledgers of one dataset, all as carried by the head; without those of damaged sealed files."""
    spec, cache, now_ms = work.spec, work.cache, work.now_ms
    seen = look(work)
    taken = 0
    with cache.transaction():
        version = cache.next_version()
        commit_id = cache.repo(spec).add_commit(repo=seen.repo, sha=seen.head, at_ms=now_ms, rows=0, size=0)
        for path in sorted(path for path in seen.files if is_placed(spec, path) and path not in seen.unreadable):
            rows = _rows(work, seen, path)
            if rows is None:
                continue
            cache.series(spec).note_rows(rows, version=version)
            if not is_small(spec, path):
                if keys_move(spec):
                    cache.sealed_keys(spec).note(path, content_id=seen.files[path].content_id, rows=rows)
                rows = rows.filter(spec.time_ms() >= now_ms - spec.retention_ms)
            cache.table(spec).put(rows, version=version, commit_id=commit_id)
            taken += rows.height
        _ledgers(work, seen, version=version, commit_id=commit_id)
        cache.repo(spec).save(seen)
    return taken


def _rows(work: Work, seen: RepoState, path: str) -> pl.DataFrame | None:
    """The rows of a data file; None of a sealed one whose footer is sound and whose pages are damaged."""
    content = whole(work, seen, path)
    try:
        return layout.read(work.spec, content, name=path)
    except HubFileDamaged as error:
        if not is_sealed(work.spec, path):
            raise
        leave(work, seen, path, error)
        return None


def _ledgers(work: Work, seen: RepoState, *, version: int, commit_id: int) -> None:
    """The published lines. Of a gap they know more than its rows tell: when it was seen, and what was asked."""
    spec, cache = work.spec, work.cache
    for ledger in ledgers_of(spec):
        if ledger.path not in seen.files:
            continue
        lines = layout.read(ledger, work.hub.read(spec, ledger.path, revision=seen.head), name=ledger.path)
        if ledger.name == GAPS:
            lines = cache.gaps(spec).confirmed(lines, version=version, now_ms=work.now_ms)
        cache.table(ledger).put(lines, version=version, commit_id=commit_id)
