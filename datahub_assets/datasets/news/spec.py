"""What the dataset of news is."""

from typing import Final

from datahub_assets.datasets.filters import Filter, Spelling
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.datasets.spec import CorrectionRule, DatasetSpec, Licence, NewestRows
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS, HOUR_MS

COIN_COLUMNS: Final = ("coin_id", "symbol", "name")
"""What coins are told by, in whichever dataset has it."""

_COLUMNS: Final = (
    Column(
        "news_id",
        ColumnKind.TEXT,
        "first 20 hex digits of the SHA-256 of the source and the publisher's id of the item, or its link",
        example="19a77a639f5038fe36fd",
    ),
    Column(
        "published_at", ColumnKind.TIME, "when it was published, as the feed says, UTC", example="2026-09-25T14:41:53Z"
    ),
    Column("source", ColumnKind.TEXT, "name of the feed", example="coindesk"),
    Column(
        "title",
        ColumnKind.TEXT,
        "the title as plain text; the latest one where it was edited",
        example="Circle and Tether step in to freeze hacker wallet after massive Bitget crypto heist",
    ),
    Column(
        "url",
        ColumnKind.TEXT,
        "link to the article, without parameters that track readers",
        example="https://www.coindesk.com/markets/2026/09/25/circle-and-tether-step-in-to-freeze-hacker-wallet-after-"
        "massive-bitget-crypto-heist",
    ),
    Column("author", ColumnKind.TEXT, "who wrote it, as the feed says", example="Oliver Knight"),
    Column(
        "first_seen_at",
        ColumnKind.TIME,
        "when this hub first saw it, UTC",
        example="2026-09-25T14:42:10Z",
    ),
    Column("language", ColumnKind.TEXT, "language of the feed, as it says: `en-US`", example="en-US"),
    Column("categories", ColumnKind.TEXTS, "the publisher's tags", example=("Markets", "Circle", "Tether", "News")),
    Column(
        "coins",
        ColumnKind.TEXTS,
        "ids of the coins that tags and title name for certain; null until coins are known here, empty where none is "
        "named",
        example=("tether",),
    ),
    Column("provider", ColumnKind.TEXT, "where the row came from: `feeds`", example="feeds"),
    Column(
        "ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC", example="2026-09-25T14:42:10Z"
    ),
)

NEWS: Final = DatasetSpec(
    name="news",
    title="Crypto news",
    summary="Titles, links and tags of news, out of the publishers' own feeds. No text of articles.",
    answer="The newest items first; with `start` or `end` those published then.",
    repo_name="crypto-news",
    provider="feeds",
    source_url="https://www.rssboard.org/rss-specification",
    licence=Licence("other", "publishers-terms", "https://www.rssboard.org/rss-specification"),
    source_asset="news_feeds",
    cache_table="cached_news",
    hub_asset="crypto_news",
    tags=("cryptocurrency", "news"),
    columns=_COLUMNS,
    key=("news_id",),
    time="published_at",
    partitioning=ByTime(Period.MONTH),
    filters=(
        Filter(
            parameter="source",
            column="source",
            doc="feeds, comma-separated: `coindesk,decrypt`",
            example=("coindesk",),
            spelling=Spelling.LOWER,
        ),
        Filter(
            parameter="coins",
            column="coins",
            doc="ids of coins, comma-separated: `bitcoin,ethereum`",
            example=("bitcoin",),
            spelling=Spelling.LOWER,
        ),
        Filter(
            parameter="q",
            column="title",
            doc="words that all stand in the title, in any order and case: `bitcoin etf`",
            example=("bitcoin",),
            many=False,
            words=True,
        ),
    ),
    newest=NewestRows(newest_first=True),
    corrections=CorrectionRule(
        noticed="Changes are noticed while an item is in its feed: a title that is edited is one of them."
    ),
    looks_up=COIN_COLUMNS,
    told_once=True,
    retention_ms=400 * DAY_MS,
    stale_warn_ms=6 * HOUR_MS,
    stale_fail_ms=DAY_MS,
    publish_interval_s=1800,
    settings=NewsSettings,
)

SPEC: Final = NEWS
