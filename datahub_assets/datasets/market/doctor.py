"""What `datahub doctor` asks of CoinGecko."""

from typing import Final

from datahub_assets.datasets.market.client import key_header
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.sources.ask import probe

FIX: Final = "check network and proxy; COINGECKO_BASE_URL names the host"


def look(settings: MarketSettings) -> str:
    """Whether it answers, and how fast.

    Raises:
        SourceError: it does not.
    """
    key = settings.coingecko_api_key
    headers = key_header(settings.coingecko_base_url, None if key is None else key.get_secret_value())
    return probe(f"{settings.coingecko_base_url}/ping", headers=headers)
