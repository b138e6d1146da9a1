"""Dagster's only entry: all objects of every dataset, from the settings."""

from importlib import import_module

import dagster as dg

from datahub_assets.datasets.registry import PACKAGES
from datahub_assets.defs.hub_maintenance import hub_maintenance, hub_maintenance_schedule
from datahub_assets.defs.jobs import chain_definitions
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.defs.retention import run_retention_sensor
from datahub_assets.settings import Settings


def build(settings: Settings, datahub: DataHubResource | None = None) -> dg.Definitions:
    """All definitions. A dataset's source asset is `source_asset` in the module `asset` of its package."""
    chains = [
        chain_definitions(
            spec,
            source=import_module(f"datahub_assets.datasets.{package}.asset").source_asset,
            settings=settings,
        )
        for package, spec in PACKAGES.items()
    ]
    common = dg.Definitions(
        jobs=[hub_maintenance],
        schedules=[hub_maintenance_schedule],
        sensors=[run_retention_sensor],
        resources={KEY: datahub or DataHubResource(settings)},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(*chains, common)


defs = build(Settings.from_env())
