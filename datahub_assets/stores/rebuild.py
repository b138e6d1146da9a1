"""A new cache from the Hub, when the old file is damaged or lost. The Hub is only read here."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from datahub_assets.domain.datasets import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.ledgers import ledgers_of
from datahub_assets.domain.partitions import is_data, is_small
from datahub_assets.stores import layout, remote, series
from datahub_assets.stores.cache import Cache
from datahub_assets.stores.head import look
from datahub_assets.stores.hub import Hub
from datahub_assets.stores.remote import Remote
from datahub_assets.stores.tables import Table

_LOG = logging.getLogger(__name__)


def rebuild(
    path: Path, specs: Iterable[DatasetSpec], *, hub: Hub, now_ms: int, log: logging.Logger = _LOG
) -> dict[str, int]:
    """Move the cache file aside and make a new one of what the Hub holds; returns rows taken in, by dataset.

    Rows that were in the old cache but on no commit are lost with it, unless their landing files still lie there or
    upstream still has them: candles are asked for again from each series' last one on the Hub.

    Raises:
        HubError: the Hub could not be read; the old file is moved aside already, a new try starts afresh.
    """
    aside = move_aside(path, now_ms=now_ms)
    if aside is not None:
        log.info("moved the old cache to %s", aside)
    taken = {}
    with Cache.open(path) as cache:
        for spec in specs:
            try:
                hub.head(spec)
            except HubNotFound:
                log.info("%s is not on the Hub yet", hub.repo_id(spec))
                taken[spec.name] = 0
                continue
            taken[spec.name] = _take_in(spec, cache=cache, hub=hub, now_ms=now_ms)
            log.info("took %s rows of %s from the Hub", f"{taken[spec.name]:,}", hub.repo_id(spec))
    return taken


def move_aside(path: Path, *, now_ms: int) -> Path | None:
    """Rename the cache and what SQLite keeps beside it; returns the new name, None when there is no cache."""
    if not path.exists():
        return None
    stamp = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%S}"
    aside = path.with_name(f"{path.name}.aside-{stamp}")
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return path.replace(aside)


def _take_in(spec: DatasetSpec, *, cache: Cache, hub: Hub, now_ms: int) -> int:
    """Rows, series and ledgers of one dataset, all as carried by the head."""
    seen = look(spec, cache=cache, hub=hub)
    taken = 0
    database = cache.database
    with database.transaction():
        version = cache.next_version()
        commit_id = remote.add_commit(database, spec, repo=seen.repo, sha=seen.head, at_ms=now_ms, rows=0, size=0)
        for path in sorted(path for path in seen.files if is_data(path)):
            rows = layout.read(spec, hub.read(spec, path, revision=seen.head), name=path)
            series.note_rows(database, spec, rows, version=version)
            if not is_small(spec, path):
                rows = rows.filter(pl.col("timestamp").dt.epoch("ms") >= now_ms - spec.retention_ms)
            Table.of(spec).put(database, rows, version=version, commit_id=commit_id)
            taken += rows.height
        _ledgers(spec, seen, cache=cache, hub=hub, version=version, commit_id=commit_id)
        remote.save(database, spec, seen)
    return taken


def _ledgers(spec: DatasetSpec, seen: Remote, *, cache: Cache, hub: Hub, version: int, commit_id: int) -> None:
    """The published lines. Of a gap they know more than its rows tell: when it was seen, and what was asked."""
    for ledger in ledgers_of(spec):
        if ledger.path not in seen.files:
            continue
        lines = layout.read(ledger, hub.read(spec, ledger.path, revision=seen.head), name=ledger.path)
        if "healed_at" in ledger.column_names:
            lines = series.confirmed(cache.database, spec, lines)
        Table.of(ledger).put(cache.database, lines, version=version, commit_id=commit_id)
