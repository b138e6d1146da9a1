"""Binance's market data over HTTP: `fetch_candles` and `fetch_ranges` for the assets, `Binance` for single questions.

fetch                   all series to the present, or ranges that are missing
refused                 pairs the exchange refuses, and what they are most like
pages                   which klines to ask for, page by page
rest                    pairs and klines over HTTP
"""

from datahub_assets.datasets.candles.client.fetch import fetch_candles, fetch_ranges
from datahub_assets.datasets.candles.client.pages import Range
from datahub_assets.datasets.candles.client.rest import Binance

__all__ = ["Binance", "Range", "fetch_candles", "fetch_ranges"]
