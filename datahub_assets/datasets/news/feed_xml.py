"""RSS 2.0 and Atom: the items of a feed as it tells them, unchecked.

A feed is somebody else's XML. One with a DOCTYPE is refused before anything of it is looked at, so that no entity can
grow; it must be well-formed, and have the encoding it says it has.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from datahub_assets.domain.errors import SourceMalformed

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_DUBLIN_CORE: Final = "{http://purl.org/dc/elements/1.1/}"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_PIECE: Final = 1024
_DEEPEST: Final = 100
_PAGE: Final = re.compile(rb"\s*<(?:!doctype\s+)?html\b", re.IGNORECASE)
"""Pages of HTML 4, whose DOCTYPE is none of XML's."""
_MOST_ITEMS: Final = 2000
_MOST_TAGS: Final = 50


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An item as its feed tells it: texts, or None where it says nothing."""

    guid: str | None
    link: str | None
    title: str | None
    author: str | None
    date: str | None
    language: str | None
    categories: tuple[str, ...]


def items(content: bytes, *, host: str) -> list[FeedItem]:
    """The items of a feed, in its order.

    Raises:
        SourceMalformed: it is no feed: a page for people, XML that is not well-formed, or XML with a DOCTYPE.
    """
    root = _root(content, host=host)
    kind = root.tag.rpartition("}")[2].lower()
    if root.tag == "rss" and (channel := root.find("channel")) is not None:
        found = list(_rss(channel))
    elif root.tag == f"{_ATOM}feed":
        found = list(_atom(root))
    elif kind == "html":
        raise SourceMalformed(f"{host} answered a page for people and no feed")
    else:
        raise SourceMalformed(f"{host} answered <{kind[:40]}>, which is neither RSS 2.0 nor Atom")
    if len(found) > _MOST_ITEMS:
        raise SourceMalformed(f"{host} answered {len(found)} items, of which {_MOST_ITEMS} are the most that are read")
    return found


class _NoDoctype(TreeBuilder):
    """Builds the tree of a document that has no DOCTYPE and is not deep."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        """An element begins."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SourceMalformed(f"answered elements in each other more than {_DEEPEST} deep, which is not read")
        return super().start(tag, attributes)

    def end(self, tag: str) -> Element:
        """An element ends."""
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public_id: str | None, system: str | None) -> None:
        """Called where a DOCTYPE begins, before the entities it declares."""
        del public_id, system
        what = "a page for people" if name.lower() == "html" else "XML with a DOCTYPE"
        raise SourceMalformed(f"answered {what}, which is not read")


def _root(content: bytes, *, host: str) -> Element:
    parser = XMLParser(target=_NoDoctype())  # noqa: S314 - no DOCTYPE, so no entities; the size is bounded
    try:
        for start in range(0, len(content), _PIECE):  # what is refused is refused before the rest is looked at
            parser.feed(content[start : start + _PIECE])
        root: Element = parser.close()
    except SourceMalformed as refused:
        raise SourceMalformed(f"{host} {refused}") from None
    except (ParseError, ValueError, LookupError) as error:
        if _PAGE.match(content):
            raise SourceMalformed(f"{host} answered a page for people and no feed") from error
        raise SourceMalformed(f"{host} answered XML that is not well-formed: {error}") from error
    return root


def _rss(channel: Element) -> Iterator[FeedItem]:
    language = _text(channel.find("language"))
    for item in channel.iterfind("item"):
        guid = item.find("guid")
        permanent = guid is not None and guid.get("isPermaLink", "true").strip().lower() != "false"
        yield FeedItem(
            guid=_text(guid),
            link=_text(item.find("link")) or (_text(guid) if permanent else None),
            title=_text(item.find("title")),
            author=_text(item.find(f"{_DUBLIN_CORE}creator")) or _text(item.find("author")),
            date=_text(item.find("pubDate")) or _text(item.find(f"{_DUBLIN_CORE}date")),
            language=_text(item.find(f"{_DUBLIN_CORE}language")) or language,
            categories=tuple(filter(None, map(_text, item.findall("category")[:_MOST_TAGS]))),
        )


def _atom(feed: Element) -> Iterator[FeedItem]:
    for entry in feed.iterfind(f"{_ATOM}entry"):
        links = [one for one in entry.iterfind(f"{_ATOM}link") if one.get("rel", "alternate") == "alternate"]
        tags = [one.get("label") or one.get("term") for one in entry.findall(f"{_ATOM}category")[:_MOST_TAGS]]
        yield FeedItem(
            guid=_text(entry.find(f"{_ATOM}id")),
            link=links[0].get("href") if links else None,
            title=_text(entry.find(f"{_ATOM}title")),
            author=_text(entry.find(f"{_ATOM}author/{_ATOM}name")),
            date=_text(entry.find(f"{_ATOM}published")) or _text(entry.find(f"{_ATOM}updated")),
            language=entry.get(_XML_LANG) or feed.get(_XML_LANG),
            categories=tuple(tag for tag in tags if tag),
        )


def _text(element: Element | None) -> str | None:
    """All text in an element; None where there is none."""
    if element is None:
        return None
    return "".join(element.itertext()).strip() or None
