"""Histories are counted and made short again without losing a row, and publishing goes on."""

from collections.abc import Callable

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.history import commit_count, squash
from localhub.testing import HubServer
from tests.stores.world import START_MS, Site, candles, in_cache, market, on_hub


def test_commits_are_counted_without_listing_them_each_time(site: Site, server: HubServer) -> None:
    for minute in range(3):
        now_ms = START_MS + minute * MINUTE_MS
        site.tick(MARKET, market(now_ms), now_ms=now_ms)
        with Cache.open(site.cache_path) as cache:
            server.faults.seen.clear()
            assert commit_count(MARKET, cache=cache, hub=site.hub) == site.hub.commit_count(MARKET)
            listings = [request for request in server.faults.seen if "/commits/" in request]
            assert len(listings) == (2 if minute == 0 else 1)


def test_a_squash_keeps_the_rows_tags_the_state_before_and_publishing_goes_on(site: Site) -> None:
    for minute in range(4):
        now_ms = START_MS + minute * MINUTE_MS
        site.tick(OHLC, candles(now_ms), now_ms=now_ms)
    before = on_hub(OHLC, site.hub)
    with Cache.open(site.cache_path) as cache:
        done = squash(OHLC, cache=cache, hub=site.hub, now_ms=now_ms)
        assert commit_count(OHLC, cache=cache, hub=site.hub) == site.hub.commit_count(OHLC) == 1
    assert done.tag == "2025-11-22"
    assert done.after == site.hub.head(OHLC) != done.before
    assert on_hub(OHLC, site.hub).equals(before)
    assert on_hub(OHLC, site.hub, revision=done.tag).equals(before)

    later = now_ms + MINUTE_MS
    published = site.tick(OHLC, candles(later), now_ms=later)
    assert published.commit == site.hub.head(OHLC)
    assert on_hub(OHLC, site.hub).equals(in_cache(OHLC, site.cache_path))


def test_squashing_twice_a_day_takes_another_tag(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        tags = [squash(MARKET, cache=cache, hub=site.hub, now_ms=START_MS).tag for _ in range(2)]
    assert tags == ["2025-11-22", "2025-11-22.2"]
    assert site.hub.tags(MARKET) == set(tags)


def test_a_squash_by_somebody_else_is_noticed(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.hub.squash(MARKET, message="from elsewhere")
    later = START_MS + MINUTE_MS
    published = site.tick(MARKET, market(later), now_ms=later)
    assert published.commit == site.hub.head(MARKET)
    assert on_hub(MARKET, site.hub).equals(in_cache(MARKET, site.cache_path))


def test_a_commit_between_the_squash_and_the_look_at_its_head_loses_and_doubles_nothing(
    new_site: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = new_site("ours"), new_site("other")
    now_ms = START_MS
    for _ in range(3):
        now_ms += MINUTE_MS
        for site in (ours, other):
            site.tick(OHLC, candles(now_ms), now_ms=now_ms)
    late = now_ms + HOUR_MS
    squash_history = ours.hub._api.super_squash_history

    def squash_and_be_late(*names: str, **options: str) -> None:
        squash_history(*names, **options)
        other.tick(OHLC, candles(late, pairs=5), now_ms=late)

    monkeypatch.setattr(ours.hub._api, "super_squash_history", squash_and_be_late)
    with Cache.open(ours.cache_path) as cache:
        squash(OHLC, cache=cache, hub=ours.hub, now_ms=late)
    before = on_hub(OHLC, ours.hub)
    ours.tick(OHLC, candles(late + MINUTE_MS, back=0, intervals=["1h"]), now_ms=late + MINUTE_MS)
    after = on_hub(OHLC, ours.hub)  # fails when a key is there twice
    assert before.join(after, on=list(OHLC.key), how="anti").is_empty()


def test_counting_commits_does_not_bring_back_an_older_head(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    count = site.hub.commit_count

    def count_slowly(spec: DatasetSpec) -> int:
        commits = count(spec)
        site.tick(MARKET, market(later), now_ms=later)  # publishes while the answer is on its way
        return commits

    with Cache.open(site.cache_path) as cache:
        monkeypatch.setattr(site.hub, "commit_count", count_slowly)
        assert commit_count(MARKET, cache=cache, hub=site.hub) == 2
        known = cache.repo(MARKET).load()
        assert known is not None
        assert known.head == site.hub.head(MARKET)
        assert known.files.keys() == site.hub.files(MARKET, revision=known.head).keys()
        monkeypatch.undo()
        assert commit_count(MARKET, cache=cache, hub=site.hub) == 3
