"""Settings of the dataset of listings."""

from datahub_assets.datasets.binance_settings import BinanceSettings


class ListingSettings(BinanceSettings):
    """None of its own: where to ask, all that ask Binance share."""
