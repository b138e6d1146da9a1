"""The source asset of the dataset of incidents."""

from datahub_assets.datasets.items import check_items
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.ask import ask_json
from datahub_assets.sources.fetched import Fetched
from field_incidents.rows import incident
from field_incidents.settings import IncidentSettings
from field_incidents.spec import SPEC


@asset_of(SPEC, description="Incidents as the status page tells them, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for all incidents."""
    url = run.settings.of(IncidentSettings).incidents_url
    answer = ask_json(f"{url}/incidents", clock=run.clock, not_before_ms=run.not_before_ms)
    return answer.fetched(check_items(SPEC, answer.items(), incident, named="id", now_ms=answer.now_ms))
