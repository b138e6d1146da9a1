"""`exchange_listings`: ask Binance what it says of its pairs. What comes after, all chains share."""

from datahub_assets.datasets.listings.client import LAST_ASKED, fetch_listings
from datahub_assets.datasets.listings.settings import ListingSettings
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.fetched import Fetched


@asset_of(LISTINGS, description="What Binance says of its pairs and did not say before, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for the list, and compare it with what is stored."""
    return fetch_listings(
        run.settings.of(ListingSettings),
        stored=run.stored(LISTINGS),
        last_asked=run.cache.note(LISTINGS, LAST_ASKED, default=""),
        clock=run.clock,
        log=run.log,
        not_before_ms=run.not_before_ms,
    )
