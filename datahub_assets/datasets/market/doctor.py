"""What `datahub doctor` asks of CoinGecko."""

from typing import Final

from datahub_assets.datasets.market.client import key_header, unknown_ids
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.domain.errors import SourceRejected
from datahub_assets.domain.spelling import suggestions
from datahub_assets.sources.ask import probe
from datahub_system.clock import now_ms

FIX: Final = "check network and proxy, and the coins of DATAHUB_COINS; COINGECKO_BASE_URL names the host"


def look(settings: MarketSettings) -> str:
    """Whether it answers, how fast, and whether it knows the coins that the settings name.

    Raises:
        SourceError: it does not.
    """
    key = settings.coingecko_api_key
    headers = key_header(settings.coingecko_base_url, None if key is None else key.get_secret_value())
    answers = probe(f"{settings.coingecko_base_url}/ping", headers=headers)
    if isinstance(settings.coins, int):
        return answers
    if unknown := unknown_ids(settings, clock=now_ms):
        named = ", ".join(unknown)
        raise SourceRejected(f"CoinGecko has no coin with the id {named} (DATAHUB_COINS){suggestions(unknown)}")
    return f"{answers}, and knows all {len(settings.coins)} coins of DATAHUB_COINS"
