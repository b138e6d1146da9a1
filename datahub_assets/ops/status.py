"""What `datahub status` tells: how each chain is, by worker status, cache and Hub. Nothing is printed here."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from datahub_assets.domain.datasets import DATASETS, DatasetSpec
from datahub_assets.domain.errors import HubError
from datahub_assets.ops import facts
from datahub_assets.ops.worker_status import WorkerStatus
from datahub_assets.settings import Settings
from datahub_assets.stores.cache import Cache
from datahub_assets.stores.hub import Hub
from datahub_assets.stores.maintenance import MANY_COMMITS, commit_count

_TICK_S: Final = 60


@dataclass(frozen=True, slots=True)
class ChainState:
    """One line of the table. Times are ISO 8601 UTC; None: unknown or not yet.

    Attributes:
        lag_s: age of the newest row; of the last success where rows are stamped with the begin of what they cover.
        warnings: what a person should look at.
    """

    dataset: str
    rows: int
    waiting: int
    newest_row: str | None
    lag_s: float | None
    last_commit: str | None
    last_success: str | None
    last_error: str | None
    gaps_open: int | None
    quarantined: int
    commits: int | None
    warnings: tuple[str, ...]


def states(settings: Settings, *, hub: Hub, now_ms: int) -> list[ChainState]:
    """The state of every chain.

    Raises:
        CacheError: the cache cannot be read.
    """
    if not settings.cache_path.is_file():  # to look is not to create
        return [_state(spec, settings, cache=None, hub=hub, now_ms=now_ms) for spec in DATASETS.values()]
    with Cache.open(settings.cache_path) as cache:
        return [_state(spec, settings, cache=cache, hub=hub, now_ms=now_ms) for spec in DATASETS.values()]


def _state(spec: DatasetSpec, settings: Settings, *, cache: Cache | None, hub: Hub, now_ms: int) -> ChainState:
    told = WorkerStatus(settings.home).chain(spec.name)
    known = {} if cache is None else facts.of_chain(cache, spec, now_ms=now_ms)
    moment = told["last_success"] if spec.has_forming_rows else known.get("newest_row")
    lag_s = None if moment is None else now_ms / 1000 - datetime.fromisoformat(moment).timestamp()
    error = told["last_error"]
    state = ChainState(
        dataset=spec.name,
        rows=known.get("rows", 0),
        waiting=0 if cache is None else cache.waiting(spec),
        newest_row=known.get("newest_row"),
        lag_s=lag_s,
        last_commit=known.get("last_commit"),
        last_success=told["last_success"],
        last_error=None if error is None else f"{error['code']}: {error['message']}",
        gaps_open=known.get("gaps_open"),
        quarantined=known.get("rejected", 0),
        commits=None if cache is None or known.get("last_commit") is None else _commits(spec, cache=cache, hub=hub),
        warnings=(),
    )
    return _with_warnings(spec, state, usual_s=settings.publish_interval_s)


def _commits(spec: DatasetSpec, *, cache: Cache, hub: Hub) -> int | None:
    try:
        return commit_count(spec, cache=cache, hub=hub)
    except HubError:
        return None


def _with_warnings(spec: DatasetSpec, state: ChainState, *, usual_s: int) -> ChainState:
    """`usual_s`: seconds that may lie between two commits without anything being wrong."""
    warnings = []
    if state.last_success is None:
        warnings.append("nothing has been published yet")
    if state.lag_s is not None and state.lag_s > max(spec.stale_warn_ms / 1000, usual_s + _TICK_S):
        waits = f"; {state.waiting:,} rows wait for the Hub" if state.waiting else ""
        warnings.append(f"the newest data is {state.lag_s / 60:.0f} minutes old{waits}")
    if state.last_error is not None:
        warnings.append(state.last_error)
    if state.commits is not None and state.commits > MANY_COMMITS:
        warnings.append(f"{state.commits} commits make the repo slow: `datahub hub squash` explains and helps")
    return replace(state, warnings=tuple(warnings))
