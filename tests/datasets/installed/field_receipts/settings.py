"""Settings of the dataset of receipts."""

from pydantic import Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import Url


class ReceiptSettings(DatasetSettings):
    """Where to ask."""

    receipts_url: Url = Field(
        "http://127.0.0.1:9", validation_alias=env("FIELD_RECEIPTS_URL"), description="where receipts are told"
    )
