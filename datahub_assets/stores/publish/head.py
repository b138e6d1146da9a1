"""A dataset repo as it is now: its files, how far its live window has come, and how many rows it holds.

Looking changes nothing, but creates a repo that is not there.
"""

from collections.abc import Mapping
from dataclasses import replace

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubNotFound
from datahub_assets.domain.hub_files import is_content
from datahub_assets.domain.partitions import is_placed, is_sealed
from datahub_assets.domain.tables import ByTime
from datahub_assets.stores.cache import repo_state
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.repo_state import RepoState
from datahub_assets.stores.hub import card, layout
from datahub_assets.stores.hub.client import Hub


def look(spec: DatasetSpec, *, cache: Cache, hub: Hub) -> RepoState:
    """A repo as it is now, created if there is none; remembers nothing."""
    try:
        head = hub.head(spec)
    except HubNotFound:
        hub.create(spec)
        head = hub.head(spec)
    seen = RepoState(repo=hub.repo_url(spec), head=head, files=hub.files(spec, revision=head))
    if not any(is_placed(spec, path) for path in seen.files):
        return replace(seen, rows=0)
    known = repo_state.load(cache.database, spec)
    if known is not None and known.repo != seen.repo:
        known = None
    text = hub.read(spec, card.CARD_PATH, revision=head) if card.CARD_PATH in seen.files else b""
    told = card.read_summary(text)
    reached = 0 if known is None else known.window_start
    if told is None:
        first, newest = (None, None) if known is None else (known.first, known.newest)
        start = max(reached, _sealed_until(spec, seen, hub))
        return replace(seen, window_start=start, rows=_counted(spec, seen, hub), first=first, newest=newest)
    believed = told.rows is not None and known is not None and not _left_behind(spec, text, known=known, seen=seen)
    return replace(
        seen,
        window_start=max(reached, told.window_start),
        rows=told.rows if believed else _counted(spec, seen, hub),
        first=told.first,
        newest=told.newest,
    )


def _left_behind(spec: DatasetSpec, text: bytes, *, known: RepoState, seen: RepoState) -> bool:
    """Whether data files changed and the card (this text) did not, as when a person deletes one: it tells old counts.

    Writers like us change it in the same commit.
    """
    before = known.files.get(card.CARD_PATH)
    if before is None or not is_content(text, content_id=before.content_id):
        return False
    return _content_ids(spec, known) != _content_ids(spec, seen)


def _content_ids(spec: DatasetSpec, of: RepoState) -> dict[str, str]:
    return {path: file.content_id for path, file in of.files.items() if is_placed(spec, path)}


def _counted(spec: DatasetSpec, seen: RepoState, hub: Hub) -> int:
    """Rows of the main table, told by the footers of its files."""
    count = 0
    for path in sorted(path for path in seen.files if is_placed(spec, path)):
        with hub.opened(spec, path, revision=seen.head) as file:
            count += layout.count_rows(file, name=f"{path} at {seen.head}")
    return count


def counted_until(
    spec: DatasetSpec, seen: RepoState, *, until: int, known: Mapping[str, int], hub: Hub
) -> dict[str, int]:
    """Rows not later than `until` (epoch ms) in each data file, by path and oid; `known` files are not read."""
    counts = {}
    for path, file in seen.files.items():
        if not is_placed(spec, path):
            continue
        name = f"{path} {file.content_id}"
        if name in known:
            counts[name] = known[name]
            continue
        with hub.opened(spec, path, revision=seen.head) as content:
            counts[name] = layout.count_until(content, time=spec.time, until=until, name=f"{path} at {seen.head}")
    return counts


def _sealed_until(spec: DatasetSpec, seen: RepoState, hub: Hub) -> int:
    """Where the live window must begin at least, for a repo whose card does not say: after its newest sealed rows."""
    paths = sorted(path for path in seen.files if is_sealed(spec, path))
    if isinstance(spec.partitioning, ByTime):  # names tell which file of a folder is the newest
        paths = list({path.rsplit("/", 1)[0]: path for path in paths}.values())
    times = []
    for path in paths:
        with hub.opened(spec, path, revision=seen.head) as file:
            times.append(layout.last_time(file, time=spec.time, name=f"{path} at {seen.head}"))
    return max((time for time in times if time is not None), default=-1) + 1
