"""Reading feeds from a host that misbehaves: each feed alone, asked for what is new, left alone when it fails."""

import time
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.news import client
from datahub_assets.datasets.news.client import FEEDS_NOTE, fetch_news
from datahub_assets.datasets.news.coin_names import CoinNames
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.domain.errors import SettingsError
from datahub_assets.domain.rows import frame_of, supersede
from datahub_assets.domain.times import iso_to_ms
from datahub_assets.settings import Settings
from datahub_assets.sources.fetched import Fetched
from tests.fakes import Clock, FakeFeeds, Story
from tests.fakes.feeds import BOMB
from tests.sources.conftest import LOG

NOW_MS = iso_to_ms("2026-08-15T18:00:00Z")
MINUTE_MS = 60_000
COINS = (("bitcoin", "BTC", "Bitcoin"), ("tether", "USDT", "Tether"))


def story(number: int, **changes: Any) -> Story:
    told = {
        "title": f"Bitcoin story {number}", "guid": f"id-{number}",
        "link": f"https://press.example/{number}?utm_source=rss",
        "date": "Sat, 15 Aug 2026 12:00:00 +0000", "author": "Ann", "tags": ("Markets",),
    }  # fmt: skip
    return Story(**(told | changes))


@pytest.fixture
def feeds() -> Any:
    with FakeFeeds(clock=Clock(NOW_MS)) as fake:
        fake.publish("/one", [story(1), story(2)])
        fake.publish("/two", [story(3, date="2026-08-15T12:00:00Z")], atom=True)
        yield fake


class Reader:
    """Reads again and again, each time knowing what was stored and noted before."""

    def __init__(self, feeds: FakeFeeds, *, coins: tuple[tuple[str, str, str], ...] = COINS) -> None:
        self.clock = feeds.clock
        named = ",".join(f"{name}={feeds.url}/{name}" for name in ("one", "two"))
        self.settings = Settings.from_env({"DATAHUB_NEWS_FEEDS": named}).of(NewsSettings)
        self.coins = coins
        self.note: object = {}
        self.stored = frame_of(NEWS, [])

    def read(self) -> Fetched:
        fetched = fetch_news(
            self.settings,
            known=self.note,
            stored=lambda keys: self.stored.join(keys, on="news_id", how="semi"),
            without_coins=self.stored.filter(pl.col("coins").is_null()),
            names=CoinNames(self.coins),
            clock=self.clock.now_ms,
            log=LOG,
        )
        self.note = fetched.notes[FEEDS_NOTE]
        self.changed = supersede(NEWS, stored=self.stored, incoming=fetched.checked.frame)
        kept = self.stored.join(self.changed, on="news_id", how="anti")
        self.stored = pl.concat([kept, self.changed])
        return fetched

    def later(self, minutes: int) -> Fetched:
        self.clock.advance(minutes * MINUTE_MS)
        return self.read()

    def row(self, title: str) -> dict[str, Any]:
        (row,) = self.stored.filter(title=title).rows(named=True)
        return row


@pytest.fixture
def reader(feeds: FakeFeeds) -> Reader:
    return Reader(feeds)


def test_items_of_both_kinds_of_feeds_become_rows(reader: Reader) -> None:
    assert reader.read().failed == {}
    row = reader.row("Bitcoin story 1")
    told = ("source", "url", "author", "language", "categories", "coins", "provider")
    assert {name: row[name] for name in told} == {
        "source": "one", "url": "https://press.example/1", "author": "Ann", "language": "en-US",
        "categories": ["Markets"], "coins": ["bitcoin"], "provider": "feeds",
    }  # fmt: skip
    assert (reader.row("Bitcoin story 3")["source"], reader.row("Bitcoin story 3")["language"]) == ("two", "de")


def test_a_feed_is_asked_for_what_is_new_only(reader: Reader, feeds: FakeFeeds) -> None:
    reader.read()
    assert reader.later(1).checked.frame.is_empty()
    assert "if-none-match" in feeds.requests[-1].headers
    assert "if-modified-since" in feeds.requests[-1].headers
    feeds.publish("/one", [story(4), story(1)])
    assert set(reader.later(1).checked.frame["title"]) == {"Bitcoin story 4", "Bitcoin story 1"}
    assert reader.changed["title"].to_list() == ["Bitcoin story 4"], "the other one says what it said"


def test_an_edited_title_is_another_version_of_the_row_first_seen_then(reader: Reader, feeds: FakeFeeds) -> None:
    reader.read()
    seen = reader.row("Bitcoin story 1")["first_seen_at"]
    feeds.publish("/one", [story(1, title="Tether story")])
    reader.later(5)
    assert reader.changed.height == 1
    row = reader.row("Tether story")
    assert (row["first_seen_at"], row["coins"]) == (seen, ["tether"])
    assert row["ingested_at"] > seen


def test_coins_are_filled_in_once_some_are_known_and_stay(feeds: FakeFeeds) -> None:
    reader = Reader(feeds, coins=())
    reader.read()
    assert reader.stored["coins"].null_count() == 3
    reader.coins = COINS
    reader.later(1)  # both feeds say that nothing is new
    assert reader.stored["coins"].to_list() == [["bitcoin"]] * 3
    assert set(reader.changed["first_seen_at"].dt.epoch("ms")) == {NOW_MS}
    reader.coins = (("another", "BTC", "Bitcoin"),)
    feeds.publish("/one", [story(1), story(2), story(5)])
    reader.later(1)
    assert reader.row("Bitcoin story 1")["coins"] == ["bitcoin"], "what was told is no matter of coins known later"
    assert reader.row("Bitcoin story 5")["coins"] == ["another"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"date": "Sep 25"}, "date is not an ISO time with its zone"),
        ({"date": ""}, "date is missing"),
        ({"link": "javascript:alert(1)"}, "link is no http:// or https:// link"),
        ({"link": ""}, "link is missing"),
        ({"title": "<b></b>"}, "title is missing"),
        ({"date": "Sat, 15 Aug 2026 19:00:00 +0000"}, "date is too far ahead"),
    ],
)
def test_an_item_that_cannot_be_used_is_set_aside_and_the_others_go_on(
    reader: Reader, feeds: FakeFeeds, changes: dict[str, Any], reason: str
) -> None:
    feeds.publish("/one", [story(1, **changes), story(2)])
    (rejected,) = reader.read().checked.rejected
    assert rejected.subject == "one"
    assert rejected.reason.startswith(reason)
    assert set(reader.stored["title"]) == {"Bitcoin story 2", "Bitcoin story 3"}


def test_what_is_old_when_it_is_first_seen_is_no_news(reader: Reader, feeds: FakeFeeds) -> None:
    feeds.publish("/one", [story(1, date="Fri, 15 Aug 2025 12:00:00 +0000"), story(2)])
    assert reader.read().checked.rejected == ()
    assert set(reader.stored["title"]) == {"Bitcoin story 2", "Bitcoin story 3"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (BOMB.encode(), "XML with a DOCTYPE, which is not read"),
        (b"<html><body>moved</body></html>", "a page for people"),
        ("<rss><channel><item><title>caf\u00e9</title></item></channel></rss>".encode("latin-1"), "not well-formed"),
        (b"<rss><channel><item>" + b"x" * 6_000_000, "more than 5242880 bytes"),
    ],
)
def test_one_bad_feed_costs_the_others_nothing(
    reader: Reader, feeds: FakeFeeds, caplog: pytest.LogCaptureFixture, body: bytes, told: str
) -> None:
    feeds.set_body("/one", body)
    began = time.perf_counter()
    with caplog.at_level("WARNING"):
        fetched = reader.read()
    assert told in str(fetched.failed["one",])
    assert [record for record in caplog.records if told in record.getMessage()], "told where a person looks"
    assert reader.stored["title"].to_list() == ["Bitcoin story 3"]
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("kind", ["server_error", "firewall", "truncated", "dropped", "html"])
def test_a_feed_that_fails_is_left_alone_for_longer_each_time(reader: Reader, feeds: FakeFeeds, kind: str) -> None:
    feeds.fail(kind, times=None, path="/one")
    asked = []
    for _ in range(10):
        reader.read()
        asked.append(len([one for one in feeds.requests if one.path == "/one"]))
        reader.clock.advance(MINUTE_MS)
    assert asked == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4]
    assert "it is asked again at 2026-08-15 18:" in str(reader.read().failed["one",])
    feeds.recover()
    reader.later(60)
    assert reader.row("Bitcoin story 1")["source"] == "one"
    assert reader.later(1).failed == {}


def test_a_pause_that_is_asked_for_is_kept(reader: Reader, feeds: FakeFeeds) -> None:
    feeds.fail("rate_limited", path="/one", retry_after_s=600)
    reader.read()
    feeds.forget_requests()
    reader.later(9)
    assert [one.path for one in feeds.requests] == ["/two"]
    reader.later(1)
    assert len(feeds.requests) == 3


def test_all_feeds_failing_says_so_of_each(reader: Reader, feeds: FakeFeeds) -> None:
    feeds.fail("server_error", times=None)
    fetched = reader.read()
    assert fetched.failed.keys() == {("one",), ("two",)}
    assert fetched.checked.frame.is_empty()


def test_a_feed_may_move_within_its_host_and_no_further(reader: Reader, feeds: FakeFeeds) -> None:
    feeds.publish("/new", [story(9)])
    feeds.fail("moved", path="/one", location="/new")
    feeds.fail("moved", path="/two", location="http://elsewhere.example/feed")
    fetched = reader.read()
    assert reader.row("Bitcoin story 9")["source"] == "one"
    assert "says the feed is at 'http://elsewhere.example/feed' now" in str(fetched.failed["two",])


def test_a_feed_that_sends_round_in_circles_is_told(reader: Reader, feeds: FakeFeeds) -> None:
    feeds.fail("moved", times=None, path="/one", location="/one?again=1")
    assert "without an end" in str(reader.read().failed["one",]) or "says the feed" in str(reader.read().failed["one",])


def test_a_note_of_another_form_is_as_none(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.note = {url: {"colour": "red"} for url in reader.settings.feeds.values()}
    assert reader.read().failed == {}
    assert client.FeedState.of("x") == client.FeedState()


@pytest.mark.parametrize(
    "value", ["decrypt", "=https://a.example", "UP=https://a.example", "a=ftp://a.example", "a=https://u:p@a.example",
              "a=https://a.example,a=https://b.example", ","],
)  # fmt: skip
def test_feeds_that_are_none_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"DATAHUB_NEWS_FEEDS=.*must"):
        Settings.from_env({"DATAHUB_NEWS_FEEDS": value})


def test_the_usual_feeds_need_no_key() -> None:
    assert list(Settings.from_env({}).of(NewsSettings).feeds) == [
        "coindesk", "cointelegraph", "decrypt", "theblock", "bitcoinmagazine",
    ]  # fmt: skip
