"""Dagster's only entry: all objects of every dataset, from the settings."""

from importlib import import_module

import dagster as dg

from datahub_assets.datasets.registry import PACKAGES
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs import chain
from datahub_assets.defs.history.history_definitions import history_definitions
from datahub_assets.defs.history.history_sources import source_of
from datahub_assets.defs.hub_maintenance import hub_maintenance, hub_maintenance_schedule
from datahub_assets.defs.jobs import chain_definitions
from datahub_assets.defs.resources import KEY, DataHubResource
from datahub_assets.defs.retention import run_retention_sensor
from datahub_assets.domain.errors import DatasetInvalid
from datahub_assets.settings import Settings


def build(settings: Settings, datahub: DataHubResource | None = None) -> dg.Definitions:
    """All definitions, of the datasets that are collected.

    A dataset's source asset is `source_asset` in the module `asset` of its package.

    One whose package has a module `history` has an asset of history too, with what `history_source` there opens.

    Raises:
        DatasetInvalid: a package has no such asset.
    """
    chains = [
        chain_definitions(spec, source=_source_asset(package, spec), settings=settings)
        for package, spec in PACKAGES.items()
        if spec in settings.collected
    ]
    histories = [
        history_definitions(spec, open_source=open_source, settings=settings)
        for package, spec in PACKAGES.items()
        if (open_source := source_of(spec, package=package)) is not None
    ]
    common = dg.Definitions(
        jobs=[hub_maintenance],
        schedules=[hub_maintenance_schedule],
        sensors=[run_retention_sensor],
        resources={KEY: datahub or DataHubResource(settings)},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(*chains, *histories, common)


def _source_asset(package: str, spec: DatasetSpec) -> dg.AssetsDefinition:
    found = getattr(import_module(f"{package}.asset"), "source_asset", None)
    if not isinstance(found, dg.AssetsDefinition) or found.keys != {chain.source_key(spec)}:
        raise DatasetInvalid(
            f"dataset {spec.name!r}: {package}.asset.source_asset must be the asset {spec.source_asset!r}, which "
            "datahub_assets.defs.source_assets.asset_of makes"
        )
    return found


defs = build(Settings.from_env())
