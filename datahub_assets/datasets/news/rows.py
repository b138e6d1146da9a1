"""What makes an item of a feed a row of the dataset, or a rejected one; and which rows say something new."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import polars as pl

from datahub_assets.datasets.items import check_items
from datahub_assets.datasets.news.coin_names import CoinNames
from datahub_assets.datasets.news.dates import moment_ms
from datahub_assets.datasets.news.feed_xml import FeedItem
from datahub_assets.datasets.news.links import item_id, link
from datahub_assets.datasets.news.plain_text import plain
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.domain.fields import BadField, shown
from datahub_assets.domain.rows import Checked, from_epoch_ms
from datahub_assets.domain.tables import FETCHED

LONGEST_TITLE: Final = 300
_LONGEST_AUTHOR: Final = 120
_LONGEST_TAG: Final = 80
_LONGEST_LANGUAGE: Final = 20


def check_feed(items: Sequence[FeedItem], *, source: str, now_ms: int) -> Checked:
    """Sort items of a feed into rows and rejected ones; each ends in one of the two, whatever it holds."""
    told = [{**asdict(item), "source": source, "categories": list(item.categories)} for item in items]
    return check_items(NEWS, told, _row, named="source", now_ms=now_ms)


def _row(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    source, guid = str(item["source"]), _said(item.get("guid"))
    url = link("link", _said(item.get("link")))
    title = plain(_said(item.get("title")) or "", limit=LONGEST_TITLE)
    if not title:
        raise BadField(f"title is missing: {shown(item.get('title'))}")
    categories = item.get("categories")
    tags = [plain(str(tag), limit=_LONGEST_TAG) for tag in categories] if isinstance(categories, list) else []
    return {
        "news_id": item_id(source, guid, url),
        "published_at": moment_ms("date", item.get("date"), now_ms=now_ms),
        "source": source,
        "title": title,
        "url": url,
        "author": plain(_said(item.get("author")) or "", limit=_LONGEST_AUTHOR) or None,
        "first_seen_at": now_ms,
        "language": plain(_said(item.get("language")) or "", limit=_LONGEST_LANGUAGE) or None,
        "categories": list(dict.fromkeys(tag for tag in tags if tag)),
        "coins": None,
    }


def _said(value: object) -> str | None:
    return value if isinstance(value, str) else None


def told_before(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Rows of feeds with what is known of the same items already: when they were seen first, and their coins.

    Coins that were told once stay as they are while title and tags do, whichever coins are known later.
    """
    known = stored.select("news_id", *(pl.col(name).alias(f"known_{name}") for name in _REMEMBERED))
    same = (pl.col("title") == pl.col("known_title")) & (pl.col("categories") == pl.col("known_categories"))
    return (
        rows.join(known, on="news_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("known_first_seen_at", "first_seen_at").alias("first_seen_at"),
            pl.when(same).then("known_coins").otherwise("coins").alias("coins"),
        )
        .select(NEWS.column_names)
    )


_REMEMBERED: Final = ("title", "categories", "coins", "first_seen_at")


def with_coins(rows: pl.DataFrame, names: CoinNames) -> pl.DataFrame:
    """Rows with the coins they name where those were not told yet; as they are while no coin is known."""
    if not names or rows.is_empty():
        return rows
    lines = rows.select("title", "categories", "coins").rows()
    coins = [names.named(title, tags or []) if told is None else told for title, tags, told in lines]
    return rows.with_columns(pl.Series("coins", coins, dtype=NEWS.column("coins").kind.polars))


def told_now(rows: pl.DataFrame, *, now_ms: int) -> pl.DataFrame:
    """Rows as they are fetched now."""
    return rows.with_columns(from_epoch_ms(pl.lit(now_ms)).alias(FETCHED)).select(NEWS.column_names)
