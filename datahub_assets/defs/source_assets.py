"""What every source asset shares: respect the upstream's pauses, land what was fetched, and show a summary."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain, metadata
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.errors import CacheError, SourceRateLimited
from datahub_assets.domain.rows import Checked
from datahub_assets.sources.fetched import Fetched
from datahub_assets.stores import landing
from datahub_assets.stores.cache.cache import PAUSE_NOTE, Cache

ACCEPTED = "all_rows_accepted"
"""Check of every source asset; it only warns: rejected rows wait in quarantine and the good ones go on."""
_NAMED_FAILURES = 5


def accepted_check(spec: DatasetSpec) -> dg.AssetCheckSpec:
    """The check that warns of rejected rows and of series that could not be fetched."""
    return dg.AssetCheckSpec(
        ACCEPTED,
        asset=chain.source_key(spec),
        description="Every row upstream sent passed its checks, and every series was fetched.",
    )


def fetch(spec: DatasetSpec, datahub: DataHubResource, cache: Cache, ask: Callable[[int], Fetched]) -> Fetched:
    """Ask the upstream, and keep the pause it wishes for where the next run (another process) finds it.

    Args:
        spec, datahub, cache: whose upstream, and where the pause is kept.
        ask: does the asking; gets the time (epoch ms) before which nothing may be asked.

    Raises:
        SourceError: nothing could be fetched.
    """
    try:
        fetched = ask(int(cache.note(spec, PAUSE_NOTE, default=0)))
    except SourceRateLimited as error:
        if error.retry_after_s is not None:
            cache.set_note(spec, PAUSE_NOTE, datahub.clock() + round(1000 * error.retry_after_s))
        raise
    if fetched.pause_until_ms is not None:
        cache.set_note(spec, PAUSE_NOTE, fetched.pause_until_ms)
    return fetched


def pause_until_ms(spec: DatasetSpec, datahub: DataHubResource) -> int:
    """Until when (epoch ms) the upstream wants no request. An unreadable cache is for the run to complain about."""
    try:
        with datahub.cache() as cache:
            return int(cache.note(spec, PAUSE_NOTE, default=0))
    except CacheError:
        return 0


def land(spec: DatasetSpec, datahub: DataHubResource, fetched: Fetched) -> dg.MaterializeResult[Any]:
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
        passed=not checked.rejected and not failed,
        severity=dg.AssetCheckSeverity.WARN,
        description=_summary(checked, failed),
        metadata={
            "rejected": len(checked.rejected),
            **metadata.of_rejected(checked.rejected),
            **({"failed_series": "\n".join(failed[:_NAMED_FAILURES])} if failed else {}),
        },
    )


def _summary(checked: Checked, failed: list[str]) -> str:
    if not checked.rejected and not failed:
        return "all rows accepted"
    named = [f"{one.subject}: {one.reason}" for one in checked.rejected[:_NAMED_FAILURES]]
    return "; ".join([f"{len(checked.rejected)} rows rejected, {len(failed)} series failed", *named])
