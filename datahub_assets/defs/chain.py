"""The keys, names and options a chain's Dagster objects share, derived from its DatasetSpec."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.resources import KEY
from datahub_assets.defs.run_limits import CHAIN_TAG, run_limit_s
from datahub_assets.settings import Settings

LIVE_PRIORITY = "10"
Body = Callable[[dg.AssetExecutionContext], dg.MaterializeResult[Any]]


def source_key(spec: DatasetSpec) -> dg.AssetKey:
    """The asset that fetches: `market_prices`."""
    return dg.AssetKey(spec.source_asset)


def cache_key(spec: DatasetSpec) -> dg.AssetKey:
    """The asset in SQLite: `sqlite_cache/cached_market_data`."""
    return dg.AssetKey(["sqlite_cache", spec.cache_table])


def hub_key(spec: DatasetSpec) -> dg.AssetKey:
    """The asset on the Hub: `hf_dataset/crypto_market_data`."""
    return dg.AssetKey(["hf_dataset", spec.hub_asset])


def keys(spec: DatasetSpec) -> tuple[dg.AssetKey, ...]:
    """All assets of the chain, upstream first."""
    return source_key(spec), cache_key(spec), hub_key(spec)


def job_name(spec: DatasetSpec) -> str:
    """The job that runs the whole chain."""
    return f"{spec.source_asset}_job"


def history_key(spec: DatasetSpec) -> dg.AssetKey:
    """The asset of months of history: `market_prices_history`."""
    return dg.AssetKey(f"{spec.source_asset}_history")


def sensor_name(spec: DatasetSpec) -> str:
    """The sensor that ticks the chain."""
    return f"{spec.source_asset}_sensor"


def group(spec: DatasetSpec) -> str:
    """The group the chain's assets are drawn in; also the pool that lets one run of them go at a time."""
    return spec.source_asset


def run_tags(spec: DatasetSpec, settings: Settings) -> dict[str, str]:
    """Tags of the job's runs: their chain, that they go before those of history, and when they count as stuck."""
    return {
        CHAIN_TAG: spec.name,
        "dagster/priority": LIVE_PRIORITY,
        "dagster/max_runtime": str(run_limit_s(spec, settings)),
    }


def chain_asset(
    spec: DatasetSpec,
    *,
    key: dg.AssetKey,
    description: str,
    kinds: set[str],
    deps: Sequence[dg.AssetKey] = (),
    check_specs: Sequence[dg.AssetCheckSpec] = (),
) -> Callable[[Body], dg.AssetsDefinition]:
    """`@dg.asset` with what all assets of a chain have in common: group, pool, freshness, the resource."""
    decorator = dg.asset(
        key=key,
        deps=list(deps),
        description=description,
        kinds=kinds,
        check_specs=list(check_specs),
        group_name=group(spec),
        pool=group(spec),
        required_resource_keys={KEY},
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=timedelta(milliseconds=spec.stale_fail_ms),
            warn_window=timedelta(milliseconds=spec.stale_warn_ms),
        ),
    )
    return cast("Callable[[Body], dg.AssetsDefinition]", decorator)
