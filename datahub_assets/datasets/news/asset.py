"""`news_feeds`: read the publishers' feeds. What comes after, all chains share."""

from typing import Final

from datahub_assets.datasets.news.client import FEEDS_NOTE, fetch_news
from datahub_assets.datasets.news.coin_names import CoinNames
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.defs.source_assets import SourceRun, asset_of
from datahub_assets.domain.errors import SourceUnavailable
from datahub_assets.sources.fetched import Fetched

_MOST_FILLED: Final = 1000
"""So many rows get their coins in one run, once coins are known."""


@asset_of(NEWS, description="Items of the publishers' feeds, checked and landed on disk.")
def source_asset(run: SourceRun) -> Fetched:
    """Ask the feeds for what is new, and say which coins it names."""
    settings = run.settings.of(NewsSettings)
    fetched = fetch_news(
        settings,
        known=run.cache.note(NEWS, FEEDS_NOTE, default={}),
        stored=lambda keys: run.stored(NEWS, keys=keys),
        without_coins=run.cache.table(NEWS).lacking("coins", limit=_MOST_FILLED),
        names=CoinNames(run.looked_up().rows()),
        clock=run.clock,
        log=run.log,
    )
    if len(fetched.failed) == len(settings.feeds):
        run.cache.set_note(NEWS, FEEDS_NOTE, fetched.notes[FEEDS_NOTE])  # no rows are to land before it counts
        told = "; ".join(f"{' '.join(name)}: {error}" for name, error in fetched.failed.items())
        raise SourceUnavailable(f"no feed could be read: {told}")
    return fetched
