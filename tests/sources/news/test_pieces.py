"""What news are made of, each alone: feeds, titles, dates, links, names of coins."""

import pytest

from datahub_assets.datasets.news.coin_names import CoinNames
from datahub_assets.datasets.news.dates import moment_ms
from datahub_assets.datasets.news.feed_xml import items
from datahub_assets.datasets.news.links import item_id, link
from datahub_assets.datasets.news.plain_text import plain
from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.domain.fields import BadField
from datahub_assets.domain.times import iso_to_ms
from tests.fakes.feeds import BOMB

NOW_MS = iso_to_ms("2026-08-15T18:00:00Z")
NOON_MS = iso_to_ms("2026-08-15T12:00:00Z")
COINS = CoinNames(
    [
        ("bitcoin", "BTC", "Bitcoin"), ("bitcoin-cash", "BCH", "Bitcoin Cash"), ("ethereum", "ETH", "Ethereum"),
        ("tether", "USDT", "Tether"), ("sky", "SKY", "Sky"), ("just", "JST", "JUST"), ("first-ai", "FAI", "Same"),
        ("second-ai", "FAI", "Same"), ("optimism", "OP", "Optimism"), ("near", "NEAR", "NEAR Protocol"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Plain title", "Plain title"),
        ("Fear &amp; greed", "Fear & greed"),
        ("<b>Bold</b> &lt;i&gt;claim&lt;/i&gt;", "Bold claim"),
        ("&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;x", "alert(1)x"),
        ("BTC < 50k and ETH > 3k", "BTC < 50k and ETH > 3k"),
        ("one\n\ttwo\x00three\u2028four", "one two three four"),
        ("\u202egnp.exe\u202c \u2066x\u2069\u200bA", "gnp.exe xA"),
        ("emoji \U0001f468\u200d\U0001f469 stays", "emoji \U0001f468\u200d\U0001f469 stays"),
        ("a<!-- hidden -->b", "ab"),
        ("<img src=x>", ""),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_titles_are_plain_text(text: str, shown: str) -> None:
    assert plain(text, limit=300) == shown


@pytest.mark.parametrize(
    "date",
    [
        "Sat, 15 Aug 2026 12:00:00 +0000",
        "Sat, 15 Aug 2026 14:00:00 +0200",
        "15 Aug 2026 12:00 GMT",
        "Sat, 15 Aug 2026 08:00:00 EDT",
        "2026-08-15T12:00:00Z",
        "2026-08-15T09:30:00-02:30",
    ],
)
def test_full_dates_are_read(date: str) -> None:
    assert moment_ms("date", date, now_ms=NOW_MS) == NOON_MS


@pytest.mark.parametrize(
    "date",
    [
        None, "", "Sep 25", "14:41", "2026-08-15", "2026-08-15T12:00:00", "Sat, 15 Aug 2026 12:00:00",
        "Sat, 15 Aug 2026", "32 Aug 2026 12:00 GMT", "15 Aug 26 12:00 GMT", "15 Aug 2026 12:00 XYZ", "yesterday",
        "15 Aug 2026 12:00 +9999", "15 Aug 2027 12:00 GMT", "15 Aug 1999 12:00 GMT", "1786795200",
    ],
)  # fmt: skip
def test_all_other_dates_are_refused(date: str | None) -> None:
    with pytest.raises(BadField, match=r"^date "):
        moment_ms("date", date, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("told", "clean"),
    [
        ("https://a.example/x?utm_source=rss&id=7&at_medium=y", "https://a.example/x?id=7"),
        ("https://a.example/x?ref=feed#top", "https://a.example/x"),
        (" https://a.example/x?q=a%20b&ref_src=z ", "https://a.example/x?q=a%20b"),
        ("http://a.example/?reference=1", "http://a.example/?reference=1"),
    ],
)
def test_links_lose_what_tracks(told: str, clean: str) -> None:
    assert link("link", told) == clean


@pytest.mark.parametrize(
    "told",
    [
        None, "", "/news/1", "javascript:alert(1)", "data:text/html,x", "ftp://a.example/x", "https://", "http://[::1",
        "https://user@a.example/", "https://a.example/a b", "https://a.example/\u202ex",
        "https://a.example/" + "x" * 2000,
        "file:///etc/passwd", "https:\\\\a.example",
    ],
)  # fmt: skip
def test_other_links_are_refused(told: str | None) -> None:
    with pytest.raises(BadField, match=r"^link "):
        link("link", told)


def test_an_item_is_known_by_its_guid_without_tracking_or_its_link() -> None:
    url = "https://a.example/x"
    assert item_id("a", f"{url}?utm_source=rss", url) == item_id("a", url, "https://other.example/")
    assert item_id("a", None, url) == item_id("a", " ", url) == item_id("a", url, url)
    assert len({item_id("a", "1", url), item_id("b", "1", url), item_id("a", "2", url)}) == 3
    assert len(item_id("a", "\ud800", url)) == 20


@pytest.mark.parametrize(
    ("title", "tags", "coins"),
    [
        ("Robots go public", ("Markets", "Tether", "BTC"), ["tether", "bitcoin"]),
        ("Ethereum and Bitcoin rise", (), ["ethereum", "bitcoin"]),
        ("Bitcoin Cash forks", (), ["bitcoin-cash"]),
        ("Bitcoiners meet", (), []),
        ("$eth and $OP fall, BCH too", (), ["ethereum", "optimism", "bitcoin-cash"]),
        ("OP of the day, near the sky, just so", (), []),
        ("Same FAI $FAI", ("Same", "FAI"), []),
        ("BTC-USD and NEAR-term", (), []),
        ("BTC's day: ETH.", (), ["bitcoin", "ethereum"]),
        ("BITCOIN btc", ("bitcoin",), ["bitcoin"]),
    ],
)
def test_coins_are_those_that_are_named_for_certain(title: str, tags: tuple[str, ...], coins: list[str]) -> None:
    assert COINS.named(title, tags) == coins


def test_without_coins_nothing_is_known() -> None:
    assert not CoinNames([])
    assert CoinNames([]).named("Bitcoin $BTC", ("BTC",)) == []


def test_atom_and_rss_are_read() -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><entry><id>urn:1</id>
      <title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>word</b></div></title>
      <link rel="self" href="x"/><link href="https://a.example/1"/><updated>2026-08-15T12:00:00Z</updated>
      <author><name>Ann</name></author><category term="t" label="Tag"/></entry></feed>"""
    (entry,) = items(atom, host="a")
    assert (entry.guid, entry.title, entry.link, entry.date) == (
        "urn:1",
        "A word",
        "https://a.example/1",
        "2026-08-15T12:00:00Z",
    )
    assert (entry.author, entry.language, entry.categories) == ("Ann", "de", ("Tag",))
    rss = b"""<rss version="2.0"><channel><item><title><![CDATA[A & B]]></title><guid>https://a.example/2</guid>
      <pubDate>now</pubDate></item></channel></rss>"""
    (item,) = items(rss, host="a")
    assert (item.title, item.link, item.guid, item.categories) == (
        "A & B",
        "https://a.example/2",
        "https://a.example/2",
        (),
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (BOMB.encode(), "XML with a DOCTYPE"),
        (BOMB.replace("?><", ' encoding="UTF-16"?><').encode("utf-16"), "XML with a DOCTYPE"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><rss/>', "XML with a DOCTYPE"),
        (b"<!DOCTYPE html><html><body>x<br></body></html>", "a page for people"),
        (b"<html><body>x</body></html>", "a page for people"),
        (
            b"<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>\n<HTML><HEAD><TITLE>403</TITLE></HEAD></HTML>",
            "a page for people",
        ),
        (b"<rss><channel><item></channel></rss>", "not well-formed"),
        (b"", "not well-formed"),
        (b'{"items": []}', "not well-formed"),
        ("<rss><channel><title>caf\u00e9</title></channel></rss>".encode("latin-1"), "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><rss/>', "not well-formed"),
        (b'<?xml version="1.0" encoding="gb18030"?><rss/>', "not well-formed"),
        (b"<opml/>", "<opml>, which is neither"),
        (b"<rss/>", "<rss>, which is neither"),
        (b"<rss><channel>" + b"<item/>" * 2001 + b"</channel></rss>", "2001 items"),
        (b"<a>" * 100_000, "more than 100 deep"),
        (b"<rss>" * 2, "not well-formed"),
    ],
)
def test_what_is_no_feed_is_told(content: bytes, told: str) -> None:
    with pytest.raises(SourceMalformed, match=r"host\.example ") as caught:
        items(content, host="host.example")
    assert told in str(caught.value)


def test_an_encoding_that_is_told_is_read() -> None:
    item = "<item><title>caf\u00e9</title></item>"
    told = f'<?xml version="1.0" encoding="windows-1252"?><rss><channel>{item}</channel></rss>'
    assert items(told.encode("cp1252"), host="a")[0].title == "caf\u00e9"
