"""The source asset of a dataset, made of a function that asks its upstream.

All else is the same for all: the upstream's pauses are respected, what came is landed, a summary is shown, errors go to
Dagster and to the worker status by their type.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import polars as pl

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain, metadata
from datahub_assets.defs.error_mapping import raised_for_dagster
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.errors import CacheError, CacheUnusable, SourceRateLimited
from datahub_assets.domain.rows import Checked, merge
from datahub_assets.settings import Settings
from datahub_assets.sources.clocks import CLOCKS
from datahub_assets.sources.fetched import Fetched, report_warnings
from datahub_assets.stores import landing
from datahub_assets.stores.cache.cache import PAUSE_NOTE, Cache
from datahub_assets.stores.recovery.rebuild import from_hub

ACCEPTED = "all_rows_accepted"
"""Check of every source asset; it only warns: rejected rows wait in quarantine and the good ones go on."""
_NAMED_FAILURES = 5


@dataclass(frozen=True, slots=True)
class SourceRun:
    """One run of a source asset, as the function that asks its upstream sees it.

    Attributes:
        spec: the dataset.        datahub: the settings, the clock, the landing folder.
        cache: what is stored already.
        log: gets the lines a person follows; a warning that each run would give is told once.
        not_before_ms: the upstream wants no request before this time, epoch milliseconds UTC.
    """

    spec: DatasetSpec
    datahub: DataHubResource
    cache: Cache
    log: logging.Logger
    not_before_ms: int

    @property
    def settings(self) -> Settings:
        """All settings; `settings.of(…)` gives those of the dataset."""
        return self.datahub.settings

    def stored(self, spec: DatasetSpec, *, keys: pl.DataFrame | None = None) -> pl.DataFrame:
        """Rows of a dataset on this machine: those of the cache, and those that have landed and go there next.

        Args:
            keys: whose rows are meant; those that have landed are given all. None: all rows.
        """
        table = self.cache.table(spec)
        frames = [table.read() if keys is None else table.matching(keys)]
        for path in landing.landed(self.datahub.landing, spec):
            with suppress(CacheUnusable):  # the cache says so when it takes the file in
                frames.append(landing.read_landed(path, spec).frame)
        return merge(spec, frames)

    def looked_up(self) -> pl.DataFrame:
        """The columns the spec looks up, of the newest row of each series of the first dataset that has them all.

        There are no rows where no dataset has these columns, or none of its rows is stored.
        """
        wanted = self.spec.looks_up
        other = next((one for one in DATASETS.values() if one != self.spec and one.can_be_looked_up(wanted)), None)
        if other is None:
            return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String()))
        return self.cache.newest_of_each(other).select(wanted)

    @property
    def clock(self) -> Callable[[], int]:
        """Gives epoch milliseconds UTC."""
        return self.datahub.clock


Ask = Callable[[SourceRun], Fetched]
"""Asks the upstream; raises SourceError when nothing could be fetched."""


def asset_of(
    spec: DatasetSpec, *, description: str, then: Callable[[SourceRun], None] | None = None
) -> Callable[[Ask], dg.AssetsDefinition]:
    """Make a function that asks an upstream the source asset of the dataset.

    Args:
        description: what people read of the asset in Dagster.
        then: what else a run does once its rows have landed.
    """

    def made(ask: Ask) -> dg.AssetsDefinition:
        @chain.chain_asset(
            spec,
            key=chain.source_key(spec),
            description=description,
            kinds={"python"},
            check_specs=[_accepted_check(spec)],
        )
        def asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
            datahub: DataHubResource = context.resources.datahub
            datahub.status.ticked(spec.name, now_ms=datahub.clock())
            with raised_for_dagster(context, datahub, spec=spec) as log, datahub.cache() as cache:
                _know_what_is_told(spec, datahub, cache, log)
                not_before_ms = int(cache.note(spec, PAUSE_NOTE, default=0))
                run = SourceRun(spec, datahub, cache, log, not_before_ms)
                fetched = _with_clock(run, lambda: _fetched(spec, run, ask))
                result = _landed(spec, datahub, fetched)
                cache.series(spec).note_rechecks(fetched.rechecked, failed=fetched.failed, now_ms=datahub.clock())
                for name, value in fetched.notes.items():
                    cache.set_note(spec, name, value)
                if then is not None:
                    then(run)
                return result

        return asset

    return made


def _know_what_is_told(spec: DatasetSpec, datahub: DataHubResource, cache: Cache, log: logging.Logger) -> None:
    """Before the first fetch of an installation: what another, or an earlier one, has told already. Raises HubError."""
    if spec.told_once and cache.repo(spec).load() is None and cache.table(spec).count() == 0:
        from_hub(spec, cache=cache, hub=datahub.hub(cache), now_ms=datahub.clock(), log=log)


def _accepted_check(spec: DatasetSpec) -> dg.AssetCheckSpec:
    """The check that warns of rejected rows and of series that could not be fetched."""
    return dg.AssetCheckSpec(
        ACCEPTED,
        asset=chain.source_key(spec),
        description="All that was asked for came: every series was fetched, and every row passed its checks.",
    )


def _fetched(spec: DatasetSpec, run: SourceRun, ask: Ask) -> Fetched:
    """Ask, and keep the pause the upstream wishes for where the next run (another process) finds it."""
    try:
        fetched = ask(run)
    except SourceRateLimited as error:
        if error.retry_after_s is not None:
            run.cache.set_note(spec, PAUSE_NOTE, run.clock() + round(1000 * error.retry_after_s))
        raise
    if fetched.pause_until_ms is not None:
        run.cache.set_note(spec, PAUSE_NOTE, fetched.pause_until_ms)
    return fetched


def _with_clock(run: SourceRun, fetch: Callable[[], Fetched]) -> Fetched:
    """What was fetched, with one more warning where the upstream's clock says that ours is wrong."""
    CLOCKS.forget()
    problems: list[str] = []
    try:
        fetched = fetch()
    finally:
        if (problem := CLOCKS.problem(now_ms=run.clock())) is not None:
            problems.append(problem)
            report_warnings(problems, log=run.log)
    return replace(fetched, warnings=(*fetched.warnings, *problems))


def pause_until_ms(spec: DatasetSpec, datahub: DataHubResource) -> int:
    """Until when (epoch ms) the upstream wants no request. An unreadable cache is for the run to complain about."""
    try:
        with datahub.cache() as cache:
            return int(cache.note(spec, PAUSE_NOTE, default=0))
    except CacheError:
        return 0


def _landed(spec: DatasetSpec, datahub: DataHubResource, fetched: Fetched) -> dg.MaterializeResult[Any]:
    """Make what was fetched durable and say what it was."""
    now_ms = datahub.clock()
    landing.land(datahub.landing, spec, fetched.checked, now_ms=now_ms)
    facts: dict[str, Any] = {
        **metadata.of_rows(spec, fetched.checked.frame, now_ms=now_ms),
        "rejected": len(fetched.checked.rejected),
        "failed_series": len(fetched.failed),
        "requests": fetched.requests,
        "fetch_s": round(fetched.elapsed_s, 2),
    }
    return dg.MaterializeResult(metadata=facts, check_results=[_accepted(spec, fetched)])


def _accepted(spec: DatasetSpec, fetched: Fetched) -> dg.AssetCheckResult:
    checked: Checked = fetched.checked
    failed = [f"{' '.join(series)}: {error}" for series, error in fetched.failed.items()]
    return dg.AssetCheckResult(
        asset_key=chain.source_key(spec),
        check_name=ACCEPTED,
        passed=not checked.rejected and not failed and not fetched.warnings,
        severity=dg.AssetCheckSeverity.WARN,
        description=_summary(checked, failed, fetched.warnings),
        metadata={
            "rejected": len(checked.rejected),
            **metadata.of_rejected(checked.rejected),
            **({"failed_series": "\n".join(failed[:_NAMED_FAILURES])} if failed else {}),
            **({"warnings": "\n".join(fetched.warnings)} if fetched.warnings else {}),
        },
    )


def _summary(checked: Checked, failed: list[str], warnings: tuple[str, ...]) -> str:
    if not checked.rejected and not failed:
        return "; ".join(warnings) or "all rows accepted"
    named = [f"{one.subject}: {one.reason}" for one in checked.rejected[:_NAMED_FAILURES]]
    return "; ".join([*warnings, f"{len(checked.rejected)} rows rejected, {len(failed)} series failed", *named])
