"""Binance's candles: `fetch_candles` and `fetch_ranges` for the assets, `Binance` for whoever wants less."""

from datahub_assets.sources.binance.client import Binance
from datahub_assets.sources.binance.fetch import fetch_candles, fetch_ranges
from datahub_assets.sources.binance.pages import Range

__all__ = ["Binance", "Range", "fetch_candles", "fetch_ranges"]
