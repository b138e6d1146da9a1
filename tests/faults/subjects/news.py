"""News, as two feeds tell them."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from datahub_assets.datasets.news import client
from datahub_assets.datasets.news.spec import NEWS as SPEC
from tests.fakes import Story
from tests.faults.subjects.subject import MOVED_KEYS, Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

FEEDS: Final = ("one", "two")
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_CREATOR: Final = "{http://purl.org/dc/elements/1.1/}creator"
_COINS: Final = {"Bitcoin": ("bitcoin",), "Ethereum": ("ethereum",), "Weather": ()}
"""The coins that titles name, by their first words."""


def _story(number: int, about: str, date: str) -> Story:
    link = f"https://press.example/{number}?utm_source=rss"
    return Story(f"{about} story {number}", link, f"id-{number}", date, author="Ann", tags=("Opinion",))


_FIRST: Final = (
    _story(1, "Bitcoin", "Sun, 30 Nov 2025 12:00:00 +0000"),
    _story(2, "Ethereum", "Wed, 31 Dec 2025 12:00:00 +0100"),
    _story(3, "Weather", "Wed, 31 Dec 2025 23:40:00 GMT"),
)
_OTHERS: Final = (_story(4, "Bitcoin", "2025-12-30T08:00:00Z"), _story(5, "Ethereum", "2025-12-31T23:00:00+00:00"))


def publish(world: "World") -> None:
    """What the feeds have to begin with."""
    world.feeds.publish(f"/{FEEDS[0]}/rss", list(_FIRST))
    world.feeds.publish(f"/{FEEDS[1]}/atom", list(_OTHERS), atom=True)


def _changes(world: "World") -> None:
    """Two titles are edited, one of an old item; one item has left its feed, two are new, and one more is undated."""
    edited = [_story(1, "Ethereum", _FIRST[0].date), _story(2, "Weather", _FIRST[1].date)]
    new = [_story(6, "Bitcoin", "Thu, 01 Jan 2026 00:05:00 +0000"), _story(7, "Bitcoin", "Jan 1")]
    world.feeds.publish(f"/{FEEDS[0]}/rss", [*new, *edited])
    world.feeds.publish(f"/{FEEDS[1]}/atom", [_story(8, "Weather", "2026-01-01T00:01:00Z"), *_OTHERS], atom=True)


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    for one in heard:
        yield from readable_feed(one)


def readable_feed(heard: Heard) -> Iterator[Told]:
    """The rows of a feed; none where it is no feed."""
    source = heard.path.split("/")[1]
    try:
        root = ET.fromstring(heard.body)  # noqa: S314 - the fake's own
    except ET.ParseError:
        return
    for item in root.iter("item"):
        yield from readable(_rss, source, item, root.findtext("channel/language"))
    for entry in root.iter(f"{_ATOM}entry"):
        yield from readable(_atom, source, entry, "de")


def _rss(source: str, item: ET.Element, language: str | None) -> Told:
    date = parsedate_to_datetime(item.findtext("pubDate", ""))
    tags = tuple(tag.text for tag in item.iter("category"))
    said = {name: item.findtext(tag, "") for name, tag in (("title", "title"), ("url", "link"), ("guid", "guid"))}
    return _row(source, **said, date=date, author=item.findtext(_CREATOR), tags=tags, language=language)


def _atom(source: str, entry: ET.Element, language: str | None) -> Told:
    date = datetime.fromisoformat(entry.findtext(f"{_ATOM}updated", ""))
    tags = tuple(tag.get("term") for tag in entry.iter(f"{_ATOM}category"))
    link = next(one for one in entry.iter(f"{_ATOM}link") if one.get("rel") is None).get("href", "")
    title, guid = entry.findtext(f"{_ATOM}title", ""), entry.findtext(f"{_ATOM}id", "")
    author = entry.findtext(f"{_ATOM}author/{_ATOM}name")
    return _row(source, title=title, url=link, guid=guid, date=date, author=author, tags=tags, language=language)


def _row(
    source: str, *, title: str, url: str, guid: str, date: datetime, author: str | None, tags: Key, language: str | None
) -> Told:
    if date.tzinfo is None or not url.startswith("http"):
        raise ValueError("a date without a zone, or no link")
    return {
        "news_id": hashlib.sha256(f"{source}\n{guid}".encode()).hexdigest()[:20],
        "published_at": round(date.timestamp() * 1000),
        "source": source,
        "title": title,
        "url": url.removesuffix("?utm_source=rss"),
        "author": author,
        "language": language,
        "categories": tags,
        "provider": "feeds",
    }


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    for path in world.feeds.feeds:
        for row in readable_feed(world.ask(world.feeds, path)):
            yield {**row, "coins": _COINS[str(row["title"]).split(" ", maxsplit=1)[0]]}


NEWS: Final = Subject(
    spec=SPEC,
    clients=(client,),
    hears=("feeds",),
    answers=("rss", "atom"),
    writes=("INSERT OR REPLACE INTO notes", "INSERT INTO corrections", "UPDATE corrections", "hub read", *MOVED_KEYS),
    steps={"all feeds": Step("feeds"), "a feed": Step("feeds", f"/{FEEDS[0]}/")},
    told=_told,
    now=_now,
    said=without(SPEC, "first_seen_at", "coins"),
    named=SPEC.key,
    lasting=("first_seen_at",),
    changes=_changes,
)
