"""Listings and news through the whole chain: upstream, cache, the embedded Hub, and the API in every format."""

import csv
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.asgi import create_app_with
from api.engine.create import create_engine
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.news.settings import NewsSettings
from datahub_assets.datasets.news.spec import NEWS
from datahub_assets.defs import chain
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.stores import landing
from tests.dataset_settings import changed
from tests.defs.conftest import NOON_MS, Bench
from tests.fakes import FakeFeeds, Story

MINUTE_MS = 60_000
NAMES = ("market", "listings", "news")


def story(number: int, title: str) -> Story:
    link = f"https://press.example/{number}?utm_source=rss"
    return Story(title, link, f"id-{number}", "Mon, 24 Nov 2025 11:00:00 +0000", author="Ann", tags=("Markets", "ETF"))


@dataclass
class Hub:
    """The bench with feeds beside it, and the API over what it published."""

    bench: Bench
    feeds: FakeFeeds

    def serve(self) -> TestClient[Litestar]:
        settings = self.bench.datahub.settings
        return TestClient(create_app_with(settings, create_engine(settings)))


@pytest.fixture
def hub(bench: Bench) -> Iterator[Hub]:
    with FakeFeeds(clock=bench.clock) as feeds:
        feeds.publish("/press", [story(1, "Bitcoin &amp; <b>Ethereum</b> rise"), story(2, "Nothing of coins")])
        settings = changed(bench.datahub.settings, NewsSettings, news_feeds=(f"press={feeds.url}/press",))
        settings = settings.model_copy(update={"datasets": NAMES, "poll_s": 0.1, "rate_limit_per_min": 0})
        yield Hub(replace(bench, datahub=DataHubResource(settings, clock=bench.clock.now_ms)), feeds)


def rows_of(bench: Bench, spec: Any) -> pl.DataFrame:
    with bench.datahub.cache() as cache:
        return cache.table(spec).read()


def test_a_run_that_ended_before_its_rows_were_stored_tells_nothing_twice(hub: Hub) -> None:
    """Its rows have landed, so the next run compares with them, and asks feeds for what is new since then."""
    for spec in (LISTINGS, NEWS):
        assert hub.bench.materialize(spec, chain.source_key(spec)).success
        assert len(landing.landed(hub.bench.datahub.landing, spec)) == 1
    hub.bench.clock.advance(5 * MINUTE_MS)
    for spec in (LISTINGS, NEWS):
        assert hub.bench.run(spec).success
    assert rows_of(hub.bench, LISTINGS)["changed_at"].dt.epoch("ms").unique().to_list() == [NOON_MS]
    assert rows_of(hub.bench, LISTINGS).height == len(hub.bench.binance.listings)
    assert rows_of(hub.bench, NEWS)["first_seen_at"].dt.epoch("ms").to_list() == [NOON_MS] * 2


def test_feeds_are_asked_anew_when_what_they_told_did_not_land(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> Path:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(landing, "land", full)
        assert not hub.bench.run(NEWS).success
    assert hub.bench.run(NEWS).success
    assert rows_of(hub.bench, NEWS).height == 2


def test_when_no_feed_answers_the_run_fails_and_the_feed_is_left_alone(hub: Hub) -> None:
    hub.feeds.fail("server_error", times=None)
    assert not hub.bench.run(NEWS).success
    assert hub.bench.status(NEWS)["last_error"]["code"] == "source_unavailable"
    assert len(hub.feeds.requests) == 1, "also by the tries of the same run"
    assert hub.bench.run(LISTINGS).success


def test_an_edited_title_is_a_correction_and_coins_that_become_known_are_none(hub: Hub) -> None:
    assert hub.bench.run(NEWS).success
    assert rows_of(hub.bench, NEWS)["coins"].null_count() == 2
    assert hub.bench.run(MARKET).success
    hub.bench.clock.advance(MINUTE_MS)
    assert hub.bench.run(NEWS).success
    assert sorted(rows_of(hub.bench, NEWS)["coins"].to_list()) == [[], ["bitcoin", "ethereum"]]
    hub.feeds.publish("/press", [story(1, "Tether rises")])
    hub.bench.clock.advance(MINUTE_MS)
    assert hub.bench.run(NEWS).success
    with hub.bench.datahub.cache() as cache:
        lines = cache.database.rows(
            'SELECT "column", old, new FROM corrections WHERE dataset = ? ORDER BY 1', ("news",)
        )
    assert lines == [
        ("coins", '["bitcoin","ethereum"]', '["tether"]'),
        ("title", "Bitcoin & Ethereum rise", "Tether rises"),
    ]


def test_both_are_served_in_every_format_and_to_sql(hub: Hub) -> None:
    for spec in (MARKET, LISTINGS, NEWS):
        assert hub.bench.run(spec).success
    hub.bench.binance.delist("ETHUSDT", at_ms=NOON_MS)
    hub.bench.clock.advance(5 * MINUTE_MS)
    assert hub.bench.run(LISTINGS).success
    with hub.serve() as client:
        client.headers["Authorization"] = f"Bearer {hub.bench.datahub.settings.owner_token()}"
        for name in NAMES:
            wait_for(client, f"/api/hub/{name}")
        _listings(client)
        _news(client)


def wait_for(client: TestClient[Litestar], path: str) -> None:
    for _ in range(200):
        if client.get(path).status_code == 200:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} does not answer")


def _listings(client: TestClient[Litestar]) -> None:
    found = client.get("/api/hub/listings", params={"quote": "usdt", "status": "TRADING", "limit": 100}).json()
    assert "ETHUSDT" not in {row["symbol"] for row in found}, "what it was before is not what it is"
    assert {row["quote"] for row in found} == {"USDT"}
    (now,) = client.get("/api/hub/listings?symbol=ETHUSDT").json()
    assert (now["status"], now["last_candle"]) == ("BREAK", "2025-11-24T12:00:00Z")
    changes = client.get("/api/hub/listings?symbol=ETHUSDT&start=2025-11-24").json()
    assert [row["status"] for row in changes] == ["TRADING", "BREAK"]
    newest = client.get("/api/hub/listings?limit=1").json()
    assert newest[0]["symbol"] == "ETHUSDT", "the latest change first"


def _news(client: TestClient[Litestar]) -> None:
    query = "/api/hub/news?q=RISE bitcoin&coins=ethereum"
    (row,) = client.get(query).json()
    assert (row["title"], row["coins"]) == ("Bitcoin & Ethereum rise", ["bitcoin", "ethereum"])
    assert (row["url"], row["categories"]) == ("https://press.example/1", ["Markets", "ETF"])
    (line,) = csv.DictReader(io.StringIO(client.get(f"{query}&format=csv").text))
    assert (line["coins"], line["categories"]) == ("bitcoin|ethereum", "Markets|ETF")
    for name, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc_stream)):
        frame = read(io.BytesIO(client.get(f"{query}&format={name}").content))
        assert frame["coins"].to_list() == [["bitcoin", "ethereum"]]
        assert frame.schema["coins"] == pl.List(pl.String)
    sql = "SELECT title FROM news WHERE list_contains(coins, 'bitcoin')"
    assert client.get("/api/hub/sql", params={"q": sql}).json() == [{"title": "Bitcoin & Ethereum rise"}]
    for asked, titles in (
        ("q=bit", 0),
        ("q=nothing", 1),
        ("coins=dogecoin", 0),
        ("source=PRESS", 2),
        ("q=coins of", 1),
    ):
        assert len(client.get(f"/api/hub/news?{asked}").json()) == titles, asked
