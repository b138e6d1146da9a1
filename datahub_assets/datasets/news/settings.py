"""Settings of the dataset of news."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from datahub_assets.datasets.settings_base import DatasetSettings, env
from datahub_assets.setting_values import words

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MOST_FEEDS: Final = 100
_DEFAULT: Final = (
    "coindesk=https://www.coindesk.com/arc/outboundfeeds/rss/,cointelegraph=https://cointelegraph.com/rss,"
    "decrypt=https://decrypt.co/feed,theblock=https://www.theblock.co/rss.xml,"
    "bitcoinmagazine=https://bitcoinmagazine.com/feed"
)
"""Feeds that need no key."""


def _feeds(value: object) -> object:
    named = words(value)
    if not isinstance(named, tuple) or not 1 <= len(named) <= _MOST_FEEDS or not all(map(_is_feed, named)):
        raise ValueError(f"must be 1 to {_MOST_FEEDS} of name=url, such as decrypt=https://decrypt.co/feed")
    if len({str(one).partition("=")[0] for one in named}) < len(named):
        raise ValueError("must have another name for each feed")
    return named


def _is_feed(word: object) -> bool:
    name, _, url = str(word).partition("=")
    parts = urlsplit(url)
    plain = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and not parts.password
    return bool(_NAME.fullmatch(name) and plain)


Feeds = Annotated[tuple[str, ...], BeforeValidator(_feeds)]
"""Feeds as `name=url`."""


class NewsSettings(DatasetSettings):
    """Which feeds are read."""

    news_feeds: Feeds = Field(
        tuple(_DEFAULT.split(",")),
        validation_alias=env("DATAHUB_NEWS_FEEDS"),
        description="comma-separated feeds (RSS 2.0 or Atom), each as name=url; the name is the row's `source`",
    )

    @property
    def feeds(self) -> dict[str, str]:
        """URLs of the feeds by their names."""
        return {name: url for name, _, url in (one.partition("=") for one in self.news_feeds)}
