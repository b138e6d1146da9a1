"""Whatever the Hub does, rows wait until they are on it, and arrive once."""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from huggingface_hub import constants

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import (
    HubBusy,
    HubContentInvalid,
    HubNotFound,
    HubRateLimited,
    HubRefused,
    HubUnavailable,
)
from datahub_assets.domain.times import HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub import layout
from datahub_assets.stores.hub.card import CARD_PATH
from datahub_assets.stores.hub.client import Hub
from datahub_assets.stores.publish.publisher import Published
from localhub.faults import FOREVER
from localhub.testing import HubServer
from tests.stores.world import START_MS, Site, assert_settled, candles, content, in_cache, market, on_hub

LATER_MS = START_MS + MINUTE_MS
Arm = Callable[[HubServer], None]

PASSING: dict[str, Arm] = {
    "409, twice": lambda server: server.faults.conflict_on_commit(times=2),
    "412: somebody was faster": lambda server: server.faults.race_commit(),
    "500 after the commit landed": lambda server: server.faults.fail_after_commit(),
    "504 after the commit landed": lambda server: server.faults.fail_after_commit(status=504),
    "500 before the commit": lambda server: server.faults.answer(500, error="Internal Error"),
    "cut before the commit": lambda server: server.faults.drop_before(),
    "cut after the commit": lambda server: server.faults.drop_after(),
    "503 on preupload": lambda server: server.faults.answer(503, error="no", on="/preupload/"),
    "503 on the LFS batch": lambda server: server.faults.answer(503, error="no", on="/info/lfs/"),
    "500 on an upload": lambda server: server.faults.answer(500, error="no", on="PUT /lfs/"),
    "an upload cut": lambda server: server.faults.drop_before(on="PUT /lfs/"),
}


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("spec", [MARKET, OHLC], ids=["market", "ohlc"])
def test_a_passing_fault_costs_a_retry_and_nothing_else(site: Site, server: HubServer, name: str, spec) -> None:  # type: ignore[no-untyped-def]
    fetch = market if spec is MARKET else candles
    site.tick(spec, fetch(START_MS), now_ms=START_MS)
    commits = site.hub.commit_count(spec)
    PASSING[name](server)
    published = site.tick(spec, fetch(LATER_MS), now_ms=LATER_MS)
    server.faults.clear()

    assert published.commit == site.hub.head(spec)
    assert published.reason is None
    assert published.rows > 0
    assert site.hub.commit_count(spec) == commits + (2 if "faster" in name else 1), "no commit is made twice"
    assert on_hub(spec, site.hub).equals(in_cache(spec, site.cache_path))
    with Cache.open(site.cache_path) as cache:
        assert cache.waiting(spec) == 0
    assert site.publish(spec, now_ms=LATER_MS + MINUTE_MS).commit is None


def test_somebody_elses_files_stay(site: Site, server: HubServer) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    server.faults.race_commit()
    site.tick(MARKET, market(LATER_MS), now_ms=LATER_MS)
    assert any(path.startswith("rival") for path in site.hub.files(MARKET, revision=site.hub.head(MARKET)))


def test_a_lasting_lock_is_an_error_to_retry_and_the_rows_wait(site: Site, server: HubServer) -> None:
    site.store(MARKET, market(START_MS), now_ms=START_MS)
    server.faults.conflict_on_commit(times=FOREVER)
    with pytest.raises(HubBusy):
        site.publish(MARKET, now_ms=START_MS)
    assert len(site.slept_s) == 4
    for number, pause_s in enumerate(site.slept_s):
        assert 0.5 <= pause_s / (0.2 * 2**number) <= 1.5, "twice as long each time, give or take the jitter"
    server.faults.clear()
    site.publish(MARKET, now_ms=LATER_MS)
    assert_settled(MARKET, site, market(START_MS))


def test_a_hub_that_is_down_for_hours_gets_everything_in_one_commit(site: Site, server: HubServer) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    commits = site.hub.commit_count(MARKET)
    frames = [market(START_MS)]
    server.stop()
    for hour in range(1, 4):
        now_ms = START_MS + hour * HOUR_MS
        frames.append(market(now_ms))
        with pytest.raises(HubUnavailable):
            site.tick(MARKET, frames[-1], now_ms=now_ms)
    server.start()
    published = site.publish(MARKET, now_ms=START_MS + 4 * HOUR_MS)
    assert published.rows == 15
    assert site.hub.commit_count(MARKET) == commits + 1
    assert_settled(MARKET, site, pl.concat(frames))


def test_a_429_pauses_halves_the_budget_and_does_not_wait(site: Site, server: HubServer) -> None:
    site.store(MARKET, market(START_MS), now_ms=START_MS)
    server.faults.rate_limit(retry_after_s=1800)
    with pytest.raises(HubRateLimited) as caught:
        site.publish(MARKET, now_ms=START_MS)
    assert caught.value.retry_after_s == 1800
    assert site.slept_s == []
    during = site.publish(MARKET, now_ms=START_MS + 1799_000)
    assert during.commit is None
    assert during.reason is not None
    assert "5 rows wait" in during.reason
    assert site.publish(MARKET, now_ms=START_MS + 1801_000).rows == 5


@pytest.mark.parametrize("where", ["/preupload/", "/info/lfs/", "PUT /lfs/", "GET /api/datasets/"])
def test_the_library_does_not_sleep_through_a_retry_after(site: Site, server: HubServer, where: str) -> None:
    site.store(OHLC, candles(START_MS), now_ms=START_MS)
    server.faults.rate_limit(retry_after_s=3600, on=where, times=FOREVER)
    began = time.monotonic()
    with pytest.raises(HubRateLimited):
        site.publish(OHLC, now_ms=START_MS)
    assert time.monotonic() - began < 10
    assert site.publish(OHLC, now_ms=START_MS + MINUTE_MS).commit is None, "and we keep still for as long"


@pytest.mark.parametrize("token", [None, "hf_" + "x" * 34], ids=["no token", "a wrong one"])
def test_a_token_that_may_not_write_is_told_so(tmp_path: Path, hub: Hub, token: str | None) -> None:
    hub.create(MARKET)
    site = Site(tmp_path / "site", Hub(hub.endpoint, token, hub.namespace))
    with pytest.raises(HubRefused, match="token"):
        site.tick(MARKET, market(START_MS), now_ms=START_MS)
    assert site.slept_s == [], "trying again cannot help"


def test_a_read_only_token_is_refused(tmp_path: Path, server: HubServer, hub: Hub) -> None:
    hub.create(MARKET)
    token = server.add_user("reader", role="read", user=hub.namespace)
    site = Site(tmp_path / "site", Hub(hub.endpoint, token, hub.namespace))
    with pytest.raises(HubRefused, match="token"):
        site.tick(MARKET, market(START_MS), now_ms=START_MS)


def test_a_file_somebody_broke_stops_publishing_and_is_named(site: Site, server: HubServer) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    server.commit(site.hub.repo_id(OHLC), {"data/1h/open.parquet": b"PAR1 not really"})
    with pytest.raises(HubContentInvalid, match=r"data/1h/open\.parquet"):
        site.tick(OHLC, candles(LATER_MS), now_ms=LATER_MS)
    good = layout.write(OHLC, candles(START_MS, back=0, intervals=["1h"]))
    server.commit(site.hub.repo_id(OHLC), {"data/1h/open.parquet": good})
    site.publish(OHLC, now_ms=LATER_MS)
    assert on_hub(OHLC, site.hub).equals(in_cache(OHLC, site.cache_path))


def test_a_download_cut_short_is_not_taken_for_the_file(site: Site, server: HubServer) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    with pytest.raises(HubNotFound):
        site.hub.read(OHLC, "data/1h/none.parquet", revision=site.hub.head(OHLC))
    whole = site.hub.read(OHLC, "data/1h/open.parquet", revision=site.hub.head(OHLC))
    server.faults.drop_within(after_bytes=100, on="GET .*open.parquet")
    assert site.hub.read(OHLC, "data/1h/open.parquet", revision=site.hub.head(OHLC)) == whole


def test_two_installations_on_one_repo_both_make_progress(new_site: Callable[[str], Site]) -> None:
    one, other = new_site("one"), new_site("other")
    seen = []
    for minute in range(0, 90, 15):
        for site, offset_ms in ((one, 0), (other, 20_000)):
            now_ms = START_MS + minute * MINUTE_MS + offset_ms
            for spec, rows in ((MARKET, market(now_ms)), (OHLC, candles(now_ms))):
                published = site.tick(spec, rows, now_ms=now_ms)
                assert published.commit == site.hub.head(spec)
                seen.append((spec, rows))
    for spec in (MARKET, OHLC):
        held = on_hub(spec, one.hub)
        keys = pl.concat([rows.select(spec.key) for which, rows in seen if which is spec]).unique()
        assert held.height == keys.height, "no row is lost and none is there twice"
        last = next(rows for which, rows in reversed(seen) if which is spec)
        assert content(spec, held) >= content(spec, last)


def test_two_publishes_of_one_cache_at_once_settle(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.store(MARKET, market(LATER_MS), now_ms=LATER_MS)
    together = threading.Barrier(2, timeout=20)

    def work() -> Published:
        together.wait()
        return site.publish(MARKET, now_ms=LATER_MS)

    with ThreadPoolExecutor(2) as pool:
        outcomes = [future.result(60) for future in [pool.submit(work), pool.submit(work)]]
    assert any(outcome.commit == site.hub.head(MARKET) for outcome in outcomes)
    assert_settled(MARKET, site, pl.concat([market(START_MS), market(LATER_MS)]))


@pytest.mark.parametrize("path", [CARD_PATH, "data/1h/open.parquet"])
def test_a_file_is_read_by_one_request_and_without_a_disk(
    site: Site, server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    """What a killed process fetched must not stay behind."""
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    head = site.hub.head(OHLC)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "nowhere"))
    server.faults.seen.clear()
    held = site.hub.read(OHLC, path, revision=head)
    assert server.faults.seen == [f"GET /datasets/{site.hub.repo_id(OHLC)}/resolve/{head}/{path}"]
    assert len(held) == site.hub.files(OHLC, revision=head)[path].size
    assert not (tmp_path / "nowhere").exists()


def dearer(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows fetched a second later, with another price."""
    return rows.with_columns(price=pl.col("price") + 1, ingested_at=pl.col("ingested_at") + pl.duration(seconds=1))


def test_a_clock_that_lags_does_not_undo_a_roll(new_site: Callable[[str], Site]) -> None:
    ahead, behind = new_site("ahead"), new_site("behind")
    rows = market(START_MS)
    ahead.tick(MARKET, rows, now_ms=START_MS)
    ahead.tick(MARKET, market(START_MS + HOUR_MS), now_ms=START_MS + HOUR_MS)
    changed = dearer(rows)
    behind.tick(MARKET, changed, now_ms=START_MS + 1000)
    held = on_hub(MARKET, ahead.hub)
    assert held.height == 10
    assert content(MARKET, held) >= content(MARKET, changed)


def test_a_card_a_person_rewrote_is_no_danger(site: Site, server: HubServer) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.tick(MARKET, market(START_MS + HOUR_MS), now_ms=START_MS + HOUR_MS)
    server.commit(site.hub.repo_id(MARKET), {CARD_PATH: b"# My notes\n"})
    fresh = Site(site.home.parent / "fresh", site.hub)
    again = dearer(market(START_MS))
    fresh.tick(MARKET, again, now_ms=START_MS + 9000)
    assert on_hub(MARKET, site.hub).height == 10


def test_a_repo_that_was_deleted_is_filled_again(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.hub._api.delete_repo(site.hub.repo_id(MARKET), repo_type="dataset")
    site.tick(MARKET, market(LATER_MS), now_ms=LATER_MS)
    assert_settled(MARKET, site, pl.concat([market(START_MS), market(LATER_MS)]))
    with Cache.open(site.cache_path) as cache:
        assert cache.series(MARKET).last_times() == {}, "the source fills the history anew"


def test_another_account_gets_everything_too(site: Site, server: HubServer) -> None:
    site.tick(OHLC, candles(START_MS), now_ms=START_MS)
    moved = Site(site.home, Hub(server.url, server.add_user("elsewhere")))
    moved.tick(OHLC, candles(LATER_MS, back=0), now_ms=LATER_MS)
    assert moved.hub.repo_id(OHLC) == "elsewhere/crypto-ohlc-data"
    assert on_hub(OHLC, moved.hub).equals(in_cache(OHLC, site.cache_path))
