"""A chain as Dagster sees it: its assets, checks, job and sensor, built by one function from a DatasetSpec."""

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.checks.asset_checks import cache_checks, hub_checks
from datahub_assets.defs.sensors import chain_sensor
from datahub_assets.defs.stored_assets import cache_asset, hub_asset
from datahub_assets.settings import Settings


def chain_definitions(spec: DatasetSpec, *, source: dg.AssetsDefinition, settings: Settings) -> dg.Definitions:
    """Everything of one chain but the resource it works with."""
    job = dg.define_asset_job(
        chain.job_name(spec),
        selection=dg.AssetSelection.assets(*chain.keys(spec)),
        description=f"{source.key.to_user_string()} to the Hub in one run.",
        tags=chain.run_tags(spec, settings),
    )
    return dg.Definitions(
        assets=[source, cache_asset(spec), hub_asset(spec)],
        asset_checks=[cache_checks(spec), hub_checks(spec)],
        jobs=[job],
        sensors=[chain_sensor(spec, settings=settings)],
    )
