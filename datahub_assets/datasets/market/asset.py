"""`market_prices`: ask CoinGecko for the coins of the settings. Everything after the answer is shared by all chains."""

from datahub_assets.datasets.market import client
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.fetched import Fetched


@asset_of(MARKET, description="Current prices from CoinGecko, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for the coins."""
    return client.fetch_prices(
        run.settings.of(MarketSettings),
        unknown=run.cache.note(MARKET, client.UNKNOWN, default={}),
        clock=run.clock,
        log=run.log,
        not_before_ms=run.not_before_ms,
    )
