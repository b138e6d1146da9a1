"""Settings of the dataset of incidents."""

from pydantic import Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import Url


class IncidentSettings(DatasetSettings):
    """Where to ask."""

    incidents_url: Url = Field(
        "http://127.0.0.1:9", validation_alias=env("FIELD_INCIDENTS_URL"), description="where incidents are told"
    )
