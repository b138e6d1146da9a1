"""Publishing to a real Hub: one commit for what changed, none for what did not, the layout and the card."""

from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.ledgers import ledgers_of
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import card
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish import publisher
from localhub.testing import HubServer
from tests.stores.world import (
    START_MS,
    Site,
    assert_settled,
    at,
    candles,
    content,
    ledger_on_hub,
    market,
    on_hub,
    paths_on_hub,
)


def fetched(spec: DatasetSpec, now_ms: int) -> pl.DataFrame:
    return market(now_ms) if spec is MARKET else candles(now_ms)


BOTH = pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])


@BOTH
def test_the_first_publish_makes_the_repo_and_the_rows_arrive(site: Site, spec: DatasetSpec) -> None:
    rows = fetched(spec, START_MS)
    published = site.tick(spec, rows, now_ms=START_MS)
    assert published.commit == site.hub.head(spec)
    assert published.url == site.hub.commit_url(spec, published.commit)
    assert published.rows == rows.height
    assert published.reason is None
    assert_settled(spec, site, rows)


@BOTH
def test_unchanged_upstream_makes_no_commit(site: Site, server: HubServer, spec: DatasetSpec) -> None:
    rows = fetched(spec, START_MS)
    first = site.tick(spec, rows, now_ms=START_MS)
    server.faults.seen.clear()
    second = site.tick(spec, rows, now_ms=START_MS + MINUTE_MS)
    assert (second.commit, second.rows) == (None, 0)
    assert second.reason == "nothing changed since the last commit"
    assert server.faults.seen == [], "the Hub is not even asked"
    assert site.hub.head(spec) == first.commit


def test_a_changed_forming_candle_changes_exactly_that_row(site: Site) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    before = on_hub(OHLC, site.hub)
    later = START_MS + MINUTE_MS
    one = candles(later, pairs=1, back=0, intervals=["1h"])
    assert site.tick(OHLC, one, now_ms=later).rows == 1
    after = on_hub(OHLC, site.hub)
    assert content(OHLC, after) - content(OHLC, before) == content(OHLC, one)
    assert after.height == before.height


def test_a_tick_sends_the_minute_and_reads_nothing_back(site: Site, server: HubServer) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    server.faults.seen.clear()
    later = START_MS + MINUTE_MS
    site.tick(MARKET, market(later), now_ms=later)
    reads = [request for request in server.faults.seen if request.startswith("GET ")]
    assert reads == []
    assert paths_on_hub(MARKET, site.hub) == ["data/live/0930.parquet", "data/live/0931.parquet"]


def test_the_layout_of_candles(site: Site) -> None:
    now_ms = at("2025-12-01T00:30")
    site.tick(OHLC, candles(now_ms, back=26), now_ms=now_ms)
    assert paths_on_hub(OHLC, site.hub) == [
        "data/1d/2025-11.parquet",
        "data/1d/open.parquet",
        "data/1h/2025-11.parquet",
        "data/1h/open.parquet",
    ], "no candle of this day has closed yet"
    site.tick(OHLC, candles(now_ms + HOUR_MS), now_ms=now_ms + HOUR_MS)
    assert "data/1h/today.parquet" in paths_on_hub(OHLC, site.hub)


def test_hours_and_days_roll_without_a_key_twice_at_any_commit(site: Site) -> None:
    start = at("2025-11-30T22:40")
    for step in range(9):
        now_ms = start + step * 20 * MINUTE_MS
        for spec in (MARKET, OHLC):
            rows = fetched(spec, now_ms)
            commit = site.tick(spec, rows, now_ms=now_ms).commit
            held = on_hub(spec, site.hub, revision=commit)
            assert content(spec, held) >= content(spec, rows)
    assert len(on_hub(MARKET, site.hub)) == 9 * 5
    assert "data/2025-11-30.parquet" in paths_on_hub(MARKET, site.hub)
    assert "data/hours/2025-12-01T00.parquet" in paths_on_hub(MARKET, site.hub)
    assert "data/1h/2025-11.parquet" in paths_on_hub(OHLC, site.hub)


def test_a_window_rolls_even_when_upstream_is_silent(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    late = at("2025-11-22T10:10")
    assert site.publish(MARKET, now_ms=late - 1).commit is None
    assert site.publish(MARKET, now_ms=late).commit is not None
    assert paths_on_hub(MARKET, site.hub) == ["data/hours/2025-11-22T09.parquet"]
    assert site.publish(MARKET, now_ms=late + MINUTE_MS).commit is None


@pytest.mark.parametrize(("spec", "days"), [(MARKET, 20), (OHLC, 400)], ids=["market", "ohlc"])
def test_bytes_of_a_tick_do_not_depend_on_history(
    tmp_path: Path, server: HubServer, spec: DatasetSpec, days: int
) -> None:
    sizes = []
    for name, history in (("short", 2), ("long", days)):
        site = Site(tmp_path / name, Hub(server.url, server.add_user(f"{name}-{spec.name}")))
        if spec is MARKET:
            past = [market(START_MS - day * DAY_MS, coins=50) for day in range(history)]
            fresh = market(START_MS + MINUTE_MS, coins=50)
        else:
            past = [candles(START_MS, pairs=20, back=history)]
            fresh = candles(START_MS + MINUTE_MS, pairs=20, back=0)
        site.store(spec, *past, now_ms=START_MS)
        site.publish(spec, now_ms=START_MS)
        sizes.append(site.tick(spec, fresh, now_ms=START_MS + MINUTE_MS).size)
    assert sizes[1] <= 1.05 * sizes[0]


@BOTH
def test_the_card_tells_and_remembers(site: Site, spec: DatasetSpec) -> None:
    rows = fetched(spec, START_MS)
    site.tick(spec, rows, now_ms=START_MS)
    text = site.hub.read(spec, card.CARD_PATH, revision=site.hub.head(spec))
    summary = card.read_summary(text)
    assert summary is not None
    assert summary.rows == rows.height
    assert summary.newest == rows["timestamp"].dt.epoch("ms").max()
    assert summary.first == rows["timestamp"].dt.epoch("ms").min()
    assert summary.window_start == spec.window_start(START_MS)
    for column in spec.columns:
        assert f"| `{column.name}` |" in text.decode()
    assert site.hub.repo_id(spec) in text.decode()


@pytest.mark.parametrize(
    "text", [b"", b"# A person wrote this", b"---\nlicense: mit\n---\n# Hand-made", b"---\n: [\n---\n"]
)
def test_a_card_people_rewrote_carries_no_summary(text: bytes) -> None:
    assert card.read_summary(text) is None


def test_ledgers_are_there_from_the_first_commit_on(site: Site) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    for ledger in ledgers_of(OHLC):
        assert ledger_on_hub(OHLC, ledger, site.hub).is_empty()


@pytest.mark.parametrize(("name", "most"), [("MOST_FILES", 3), ("MOST_ROWS", 1500)])
def test_a_first_fill_of_decades_takes_several_commits(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(publisher, name, most)
    rows = candles(START_MS, pairs=1, back=24 * 100, intervals=["1h"])  # four months
    site.store(OHLC, rows, now_ms=START_MS)
    assert site.publish(OHLC, now_ms=START_MS).rows < rows.height
    assert site.publish(OHLC, now_ms=START_MS + MINUTE_MS).commit is not None
    assert site.publish(OHLC, now_ms=START_MS + 2 * MINUTE_MS).commit is None
    assert_settled(OHLC, site, rows)


def test_pruning_and_publishing_again_does_not_disturb_the_hub(site: Site) -> None:
    rows = market(START_MS)
    site.tick(MARKET, rows, now_ms=START_MS)
    late = START_MS + 5 * DAY_MS
    with Cache.open(site.cache_path) as cache:
        assert cache.prune(MARKET, now_ms=late).rows == rows.height
    site.publish(MARKET, now_ms=late)
    head = site.hub.head(MARKET)
    again = site.tick(MARKET, rows, now_ms=late + MINUTE_MS)
    assert again.reason == "the Hub holds these rows already"
    assert again.commit == site.hub.head(MARKET) == head
    assert on_hub(MARKET, site.hub).equals(rows.sort(MARKET.file_order))
