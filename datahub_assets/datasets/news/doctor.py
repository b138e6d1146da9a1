"""What `datahub doctor` asks of the feeds."""

import asyncio
from typing import Final

from datahub_assets.datasets.news.client import MOST_BYTES, FeedState, ask_feed
from datahub_assets.datasets.news.feed_xml import items
from datahub_assets.datasets.news.rows import check_feed
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceUnavailable
from datahub_assets.sources.http import Http
from datahub_system.clock import now_ms

FIX: Final = "check network and proxy; DATAHUB_NEWS_FEEDS names other feeds"


def look(settings: NewsSettings) -> str:
    """How many items each feed has, and how many of them cannot be used.

    Raises:
        SourceUnavailable: a feed does not answer, or with no feed; all are named.
    """
    found = asyncio.run(_asked(settings))
    told = "; ".join(f"{name}: {seen}" for name, seen in found.items())
    if any(isinstance(seen, SourceError) for seen in found.values()):
        raise SourceUnavailable(told)
    return told


async def _asked(settings: NewsSettings) -> dict[str, str | SourceError]:
    async with Http(most_bytes=MOST_BYTES) as http:
        found = await asyncio.gather(*(_seen(http, name, url) for name, url in settings.feeds.items()))
    return dict(zip(settings.feeds, found, strict=True))


async def _seen(http: Http, name: str, url: str) -> str | SourceError:
    at_ms = now_ms()
    try:
        reply = await ask_feed(http, url, FeedState(), now_ms=at_ms)
        if reply is None:
            raise SourceMalformed(f"{url} answers that nothing is new, though nothing was said to be known")
        checked = check_feed(items(reply.content, host=reply.host), source=name, now_ms=at_ms)
    except SourceError as error:
        return error
    count, bad = checked.frame.height + len(checked.rejected), len(checked.rejected)
    return f"{count} item{'' if count == 1 else 's'}" + (f", {bad} of them cannot be used" if bad else "")
