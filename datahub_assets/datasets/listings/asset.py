"""`exchange_listings`: ask Binance what it says of its pairs. What comes after, all chains share."""

from typing import Final

from datahub_assets.datasets.listings.client import fetch_listings
from datahub_assets.datasets.listings.settings import ListingSettings
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.sources.fetched import Fetched

_LAST_ASKED: Final = "last_asked"
"""Note in the cache: the pair whose candles were asked for last."""


@asset_of(LISTINGS, description="What Binance says of its pairs and did not say before, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask for the list, and compare it with what is stored."""
    looked = fetch_listings(
        run.settings.of(ListingSettings),
        stored=run.stored(LISTINGS),
        last_asked=run.cache.note(LISTINGS, _LAST_ASKED, default=""),
        clock=run.clock,
        log=run.log,
        not_before_ms=run.not_before_ms,
    )
    run.cache.set_note(LISTINGS, _LAST_ASKED, looked.last_asked)
    return looked.fetched
