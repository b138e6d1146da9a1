"""What `datahub doctor` says of the feeds."""

from typing import Any

import pytest

from datahub_assets.datasets.news import doctor
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.domain.errors import SourceUnavailable
from datahub_assets.ops.commands import datasets
from datahub_assets.settings import Settings
from tests.fakes import Clock, FakeFeeds
from tests.sources.news.test_feeds import NOW_MS, story


@pytest.fixture
def feeds() -> Any:
    with FakeFeeds(clock=Clock(NOW_MS)) as fake:
        fake.publish("/one", [story(1), story(2), story(3, date="Sep 25")])
        fake.publish("/two", [story(4, date="2026-08-15T12:00:00Z")], atom=True)
        yield fake


@pytest.fixture
def settings(feeds: FakeFeeds) -> NewsSettings:
    return NewsSettings(news_feeds=(f"one={feeds.url}/one", f"two={feeds.url}/two"))


def test_each_feed_is_read_and_its_items_are_counted(settings: NewsSettings) -> None:
    assert doctor.look(settings) == "one: 3 items, 1 of them cannot be used; two: 1 item"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("server_error", "answered 503"),
        ("html", "page for people|not well-formed"),
        ("dropped", "closed the connection"),
    ],
)
def test_a_feed_that_fails_is_named_beside_the_others(
    settings: NewsSettings, feeds: FakeFeeds, kind: str, said: str
) -> None:
    feeds.fail(kind, path="/two", times=None)
    with pytest.raises(SourceUnavailable, match=rf"^one: 3 items.*; two: .*({said})"):
        doctor.look(settings)


def test_the_command_asks_them(feeds: FakeFeeds) -> None:
    settings = Settings.from_env({"DATAHUB_DATASETS": "news", "DATAHUB_NEWS_FEEDS": f"one={feeds.url}/one"})
    (probe,) = datasets.probes(settings)
    assert probe.look(settings) == "one: 3 items, 1 of them cannot be used"
