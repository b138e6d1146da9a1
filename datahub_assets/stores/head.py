"""A dataset repo as it is now: its files, how far its live window has come, and whether rows vanished from it.

Looking changes nothing, but creates a repo that is not there. Committing is the publisher's.
"""

from dataclasses import replace

import polars as pl

from datahub_assets.domain.datasets import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.partitions import is_data, is_small
from datahub_assets.stores import card, layout, remote
from datahub_assets.stores.cache import Cache
from datahub_assets.stores.hub import Hub
from datahub_assets.stores.remote import Remote


def look(spec: DatasetSpec, *, cache: Cache, hub: Hub) -> Remote:
    """A repo as it is now, created if there is none; remembers nothing."""
    try:
        head = hub.head(spec)
    except HubNotFound:
        hub.create(spec)
        head = hub.head(spec)
    files = hub.files(spec, revision=head)
    known = remote.load(cache.database, spec)
    seen = Remote(repo=hub.repo_url(spec), head=head, files=files)
    if not any(is_data(path) for path in files):
        return replace(seen, rows=0)
    told = card.read_summary(hub.read(spec, card.CARD_PATH, revision=head)) if card.CARD_PATH in files else None
    reached = known.window_start if known is not None and known.repo == seen.repo else 0
    if told is None:
        return replace(seen, window_start=max(reached, _sealed_until(spec, seen, hub)))
    return replace(
        seen, window_start=max(reached, told.window_start), rows=told.rows, first=told.first, newest=told.newest
    )


def _sealed_until(spec: DatasetSpec, seen: Remote, hub: Hub) -> int:
    """Where the live window must begin at least, for a repo whose card does not say: after its newest sealed rows."""
    newest: dict[str, str] = {}
    for path in sorted(path for path in seen.files if is_data(path) and not is_small(spec, path)):
        newest[path.rsplit("/", 1)[0]] = path
    ends = [layout.read(spec, hub.read(spec, path, revision=seen.head), name=path) for path in newest.values()]
    times = [frame.select(pl.col("timestamp").dt.epoch("ms").max()).item() for frame in ends if frame.height]
    return max(times, default=-1) + 1


def lost_rows(spec: DatasetSpec, *, known: Remote, seen: Remote) -> bool:
    """Whether sealed files that were there are gone: nobody's publish removes those, so the repo was emptied."""
    sealed = [path for path in known.files if is_data(path) and not is_small(spec, path)]
    small = [path for path in known.files if is_small(spec, path)]
    if any(path not in seen.files for path in sealed):
        return True
    return bool(small) and not any(is_data(path) for path in seen.files)
