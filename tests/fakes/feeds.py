"""A fake host of feeds: RSS 2.0 or Atom by path, with validators for conditional requests, and any bytes on command."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from hashlib import sha256
from xml.sax.saxutils import escape, quoteattr

from tests.fakes.clock import Clock
from tests.fakes.faults import Breakage
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n > 1 else "&a;" * 10}">' for n in range(1, 9))
    + ']><rss version="2.0"><channel><item><title>&a8;</title></item></channel></rss>'
)
"""A kilobyte that becomes six gigabytes where entities grow."""


@dataclass(frozen=True, slots=True)
class Story:
    """An item of a feed; `extra` is XML put into it as it is."""

    title: str
    link: str
    guid: str
    date: str
    author: str = ""
    tags: tuple[str, ...] = ()
    extra: str = ""


@dataclass(slots=True)
class _Feed:
    atom: bool = False
    stories: list[Story] = field(default_factory=list)
    body: bytes | None = None


class FakeFeeds(Upstream):
    """Feeds by path; each answers 304 to who names the version it has."""

    commands = (*Upstream.commands, "publish", "set_text")

    def __init__(self, *, clock: Clock | None = None, port: int = 0, latency_s: float = 0.0) -> None:
        super().__init__(clock=clock, port=port, latency_s=latency_s)
        self.feeds: dict[str, _Feed] = {}

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """Another address, and bytes that are no feed or one that cannot be used."""
        return {
            "moved": _moved, "doctype": _doctype, "bomb": _bomb, "huge": _huge, "wrong_encoding": _wrong_encoding,
            "undated": _undated, "unlinked": _unlinked,
        }  # fmt: skip

    def publish(self, path: str, stories: list[Story], *, atom: bool = False) -> None:
        """The feed at this path has these items from now on."""
        self.feeds[path] = _Feed(atom=atom, stories=list(stories))

    def set_body(self, path: str, body: bytes) -> None:
        """The feed at this path answers these bytes, whatever they are."""
        self.feeds[path] = _Feed(body=body)

    def set_text(self, path: str, *, text: str) -> None:
        """The same with text, for the control door."""
        self.set_body(path, text.encode())

    def route(self, request: Request) -> Answer:
        """The feed, or that it has not changed."""
        feed = self.feeds.get(request.path)
        if feed is None:
            return Answer(404, b"<html><body>404</body></html>", content_type="text/html")
        body = feed.body if feed.body is not None else (_atom if feed.atom else _rss)(feed.stories).encode()
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": etag, "Last-Modified": formatdate(1_763_800_000, usegmt=True)}
        if request.headers.get("if-none-match") == etag:
            return Answer(304, headers=headers)
        return Answer(200, body, content_type="application/xml", headers=headers)


def _moved(location: str) -> Breakage:
    return lambda answer: replace(answer, status=301, body=b"", headers={"Location": location})


def _other(answer: Answer, body: bytes) -> Answer:
    """Another version of the feed than the one its validators name: they are left out."""
    return replace(answer, status=200, body=body, headers={})


def _doctype() -> Breakage:
    return lambda answer: _other(answer, answer.body.replace(b"?>", b'?><!DOCTYPE rss SYSTEM "file:///etc/passwd">', 1))


def _bomb() -> Breakage:
    return lambda answer: _other(answer, BOMB.encode())


def _huge(size: int = 50 << 20) -> Breakage:
    return lambda answer: _other(answer, answer.body + b" " * size)


def _wrong_encoding() -> Breakage:
    return lambda answer: _other(answer, answer.body.replace(b"<title>", b"<title>caf\xe9 ", 1))


def _undated() -> Breakage:
    return lambda answer: _other(answer, re.sub(rb"<(pubDate|updated)>[^<]*<", rb"<\1>Sep 25<", answer.body))


def _unlinked() -> Breakage:
    return lambda answer: _other(answer, re.sub(rb"https?://press", b"javascript:press", answer.body))


def _rss(stories: list[Story]) -> str:
    items = "".join(
        f"<item><title>{escape(one.title)}</title><link>{escape(one.link)}</link>"
        f'<guid isPermaLink="false">{escape(one.guid)}</guid><pubDate>{escape(one.date)}</pubDate>'
        + (f"<dc:creator>{escape(one.author)}</dc:creator>" if one.author else "")
        + "".join(f'<category domain="tag">{escape(tag)}</category>' for tag in one.tags)
        + f"{one.extra}</item>"
        for one in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0">'
        f"<channel><title>Fake</title><language>en-US</language>{items}</channel></rss>"
    )


def _atom(stories: list[Story]) -> str:
    entries = "".join(
        f'<entry><id>{escape(one.guid)}</id><title type="html">{escape(one.title)}</title>'
        f'<link rel="self" href="http://self.example/"/><link href={quoteattr(one.link)}/>'
        f"<updated>{escape(one.date)}</updated><author><name>{escape(one.author)}</name></author>"
        + "".join(f"<category term={quoteattr(tag)}/>" for tag in one.tags)
        + f"{one.extra}</entry>"
        for one in stories
    )
    return (
        f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>F</title>{entries}</feed>'
    )
