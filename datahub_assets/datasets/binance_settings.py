"""Settings of Binance's hosts, which all datasets that ask it share."""

from pydantic import Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import Urls


class BinanceSettings(DatasetSettings):
    """Where to ask. Settings of a dataset that asks Binance are a kind of these."""

    binance_base_urls: Urls = Field(
        ("https://api.binance.com", "https://data-api.binance.vision"),
        validation_alias=env("BINANCE_BASE_URLS"),
        description="Binance hosts, tried in order; `/api/v3/…` is appended",
    )
