"""What `datahub status` shows: the state of each chain, from worker status, cache and Hub."""

from dataclasses import dataclass, replace
from typing import Final

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubError
from datahub_assets.domain.times import datetime_iso
from datahub_assets.domain.worker_status import Chain
from datahub_assets.ops.commands import advice, hub_queries, ticks
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.hub.history import MANY_COMMITS, MANY_COMMITS_FIX
from datahub_assets.stores.publish import chain_facts, losses
from datahub_assets.stores.worker_status import WorkerStatusFile

_TICK_S: Final = 60


@dataclass(frozen=True, slots=True)
class ChainState:
    """One line of the table. Times are ISO 8601 UTC; None: unknown or not yet.

    Attributes:
        lag_s: age of the newest row; of the last success where rows are stamped with the begin of what they cover.
        owed: rows the Hub once held and that are gone.
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
    owed: int
    commits: int | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """All chains, how often they may be committed to, and what deserves a look whatever the chain."""

    chains: tuple[ChainState, ...]
    commits: str
    warnings: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether nothing deserves a look."""
        return not self.warnings and not any(chain.warnings for chain in self.chains)


def overview(settings: Settings, *, now_ms: int) -> Overview:
    """How all is, by the cache; of the Hub is asked for seconds whether it answers, and what the cache does not know.

    Raises:
        CacheError: the cache cannot be read.
    """
    told = WorkerStatusFile(settings.home)
    warnings = [] if (problem := told.problem()) is None else [f"{problem}; the next run writes it anew"]
    if (silence := ticks.silence(settings, now_ms=now_ms)) is not None:
        warnings.append(f"{silence}; {ticks.way_out(settings)}")
    if not settings.cache_path.is_file():  # to look is not to create
        chains = [_state(spec, settings, cache=None, commits=None, now_ms=now_ms) for spec in settings.collected]
        return Overview(tuple(chains), CommitLimits.of(settings).told(), tuple(warnings))
    commits: dict[str, int] = {}
    try:
        hub_queries.first_reply(settings, lambda: hub_queries.remembered(settings))
        if not settings.embedded_hub:  # which does not get slow by them, and drops some by itself
            commits = hub_queries.commit_counts(settings)
    except HubError as error:
        warnings.append(str(error))
    if (refused := advice.refusal(settings)) is not None:
        warnings.append(f"{refused.why}: {refused.fix}")
    with Cache.open(settings.cache_path) as cache:
        chains = [
            _state(spec, settings, cache=cache, commits=commits.get(spec.name), now_ms=now_ms)
            for spec in settings.collected
        ]
    return Overview(tuple(chains), CommitLimits.of(settings).told(), tuple(warnings))


def _state(
    spec: DatasetSpec, settings: Settings, *, cache: Cache | None, commits: int | None, now_ms: int
) -> ChainState:
    told = WorkerStatusFile(settings.home).chain(spec.name)
    known = Chain() if cache is None else chain_facts.of_chain(cache, spec, now_ms=now_ms)
    newest = told.last_success if spec.stamped_at_begin else known.newest_row
    error = told.last_error
    state = ChainState(
        dataset=spec.name,
        rows=known.rows,
        waiting=0 if cache is None else cache.waiting(spec),
        newest_row=datetime_iso(known.newest_row),
        lag_s=None if newest is None else now_ms / 1000 - newest.timestamp(),
        last_commit=known.last_commit,
        last_success=datetime_iso(told.last_success),
        last_error=None if error is None else f"{error.code}: {error.message}",
        gaps_open=known.gaps_open,
        quarantined=known.rejected,
        owed=0 if cache is None else _owed(spec, cache=cache),
        commits=commits,
        warnings=tuple(told.warnings),
    )
    return _with_warnings(spec, state, usual_s=CommitLimits.of(settings).interval_s(spec))


def _owed(spec: DatasetSpec, *, cache: Cache) -> int:
    seen = cache.repo(spec).load()
    return 0 if seen is None else losses.owed(spec, repo=seen.repo, cache=cache)


def _with_warnings(spec: DatasetSpec, state: ChainState, *, usual_s: int) -> ChainState:
    """`usual_s`: seconds that may lie between two commits without anything being wrong."""
    warnings = list(state.warnings)
    if state.last_success is None and state.last_commit is None:
        warnings.append("nothing has been published yet")
    if state.lag_s is not None and state.lag_s > max(spec.stale_warn_ms / 1000, usual_s + _TICK_S):
        waits = f"; {state.waiting:,} rows wait for the Hub" if state.waiting else ""
        warnings.append(f"the newest data is {state.lag_s / 60:.0f} minutes old{waits}")
    if state.last_error is not None:
        warnings.append(state.last_error)
    if state.owed:
        warnings.append(
            f"{state.owed:,} rows that were on the Hub are gone there; what cache or upstream still have of them goes "
            "there again, the rest can only be had from an older commit of the dataset"
        )
    if state.commits is not None and state.commits > MANY_COMMITS:
        warnings.append(f"{state.commits} commits make the repo slow: {MANY_COMMITS_FIX}")
    return replace(state, warnings=tuple(warnings))
