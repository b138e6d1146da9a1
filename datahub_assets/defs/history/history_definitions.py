"""All Dagster objects of a dataset's history."""

import dagster as dg

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.defs.history.history_asset import history_asset
from datahub_assets.defs.history.history_jobs import commit_job, fill_job
from datahub_assets.defs.history.history_sensor import commit_sensor, fill_sensor
from datahub_assets.defs.history.history_sources import OpenSource
from datahub_assets.settings import Settings


def history_definitions(spec: DatasetSpec, *, open_source: OpenSource, settings: Settings) -> dg.Definitions:
    """The asset, the jobs and their sensors."""
    commit, fill = commit_job(spec, settings=settings), fill_job(spec, open_source=open_source)
    return dg.Definitions(
        assets=[history_asset(spec, open_source=open_source)],
        jobs=[commit, fill],
        sensors=[commit_sensor(spec, job_name=commit.name), fill_sensor(spec, job_name=fill.name)],
    )
