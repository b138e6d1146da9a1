"""The assets every dataset has whatever its source: its table in the SQLite cache and its repo on the Hub."""

import logging

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain, metadata
from datahub_assets.defs.error_mapping import raised_for_dagster
from datahub_assets.defs.history.history_sources import source_of
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.times import DAY_MS, datetime_iso
from datahub_assets.stores.cache import quarantine
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.cache.outcomes import Drained
from datahub_assets.stores.publish import chain_facts
from datahub_assets.stores.publish.publisher import MOST_ROWS, publish
from datahub_assets.stores.recovery import inherited_gaps


def cache_asset(spec: DatasetSpec) -> dg.AssetsDefinition:
    """`sqlite_cache/…`: takes in everything that has landed."""

    @chain.chain_asset(
        spec,
        key=chain.cache_key(spec),
        deps=[chain.source_key(spec)],
        description=f"{spec.title} in the SQLite cache: latest rows, and the outbox of what the Hub does not hold yet.",
        kinds={"sqlite"},
    )
    def cached(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
        datahub: DataHubResource = context.resources.datahub
        with raised_for_dagster(context, datahub, spec=spec) as log, datahub.cache() as cache:
            now_ms = datahub.clock()
            follows = datahub.settings.of(spec.settings).follows
            drained = cache.drain(datahub.landing, spec, now_ms=now_ms, followed=follows)
            pruned = cache.prune(spec, now_ms=now_ms)
            waiting = cache.waiting(spec)
            saved = drained.upserted
            log.info(
                "saved %d new and %d changed records of %s in SQLite, %d unchanged; %d wait for the Hub",
                *(saved.inserted, saved.updated, spec.name, saved.unchanged, waiting),
            )
            _tell_losses(spec, drained, pruned.lines, log=log)
            return dg.MaterializeResult(
                metadata={
                    **metadata.of_rows(spec, cache.unpublished(spec, limit=MOST_ROWS).frame, now_ms=now_ms),
                    "dagster/row_count": chain_facts.cached_rows(cache, spec),
                    "inserted": saved.inserted,
                    "updated": saved.updated,
                    "unchanged": saved.unchanged,
                    "quarantined": drained.quarantined,
                    "damaged_files": len(drained.set_aside),
                    "waiting_for_hub": waiting,
                    "pruned": pruned.rows,
                    "quarantine_dropped": pruned.lines.old + pruned.lines.surplus,
                }
            )

    return cached


def _tell_losses(spec: DatasetSpec, drained: Drained, forgotten: quarantine.Dropped, *, log: logging.Logger) -> None:
    """What could not be read or kept."""
    for path in drained.set_aside:
        log.error("landing file %s was damaged and set aside; its rows are fetched again", path.name)
    if forgotten.old:
        days = quarantine.RETENTION_MS // DAY_MS
        log.info("%d lines in quarantine of %s were last seen %d days ago: forgotten", forgotten.old, spec.name, days)
    if forgotten.surplus:
        log.warning(
            "the quarantine of %s keeps %d lines: the %d seen longest ago are forgotten",
            *(spec.name, quarantine.MOST_LINES, forgotten.surplus),
        )


def hub_asset(spec: DatasetSpec) -> dg.AssetsDefinition:
    """`hf_dataset/…`: brings what waits to the Hub in one commit, rows of the cache and months of history."""

    @chain.chain_asset(
        spec,
        key=chain.hub_key(spec),
        deps=[chain.cache_key(spec), *([chain.history_key(spec)] if source_of(spec) is not None else [])],
        description=f"{spec.summary} The dataset on the Hub that clients read.",
        kinds={"huggingface", "parquet"},
    )
    def published(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare class only
        datahub: DataHubResource = context.resources.datahub
        with raised_for_dagster(context, datahub, spec=spec) as log, datahub.cache() as cache:
            hub, limits = datahub.hub(cache), CommitLimits.of(datahub.settings)
            if not cache.budget.wait(spec, limits=limits, now_ms=datahub.clock()).ms:
                inherited_gaps.close(spec, cache=cache, hub=hub, now_ms=datahub.clock())
            outcome = publish(spec, cache=cache, hub=hub, limits=limits, now_ms=datahub.clock(), log=log)
            if outcome.reason is not None:
                log.info(outcome.told(spec))
            now_ms = datahub.clock()
            known = chain_facts.of_chain(cache, spec, now_ms=now_ms)
            is_waiting = outcome.commit is None and cache.waiting(spec) > 0
            tell = datahub.status.waited if is_waiting else datahub.status.succeeded
            tell(spec.name, known, now_ms=now_ms)
            return dg.MaterializeResult(
                metadata={
                    "dataset": dg.MetadataValue.url(hub.repo_url(spec)),
                    **({"commit": dg.MetadataValue.url(outcome.url)} if outcome.url else {}),
                    **({"no_commit_because": outcome.reason} if outcome.reason else {}),
                    "rows_published": outcome.rows,
                    "bytes_committed": outcome.size,
                    "dagster/row_count": known.rows,
                    "newest_timestamp": datetime_iso(known.newest_row) or "none",
                    "commits_last_hour": known.commits_last_hour,
                }
            )

    return published
