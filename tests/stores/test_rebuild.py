"""A lost or damaged cache comes back from the Hub, and goes on as if nothing had happened."""

from pathlib import Path

import polars as pl
import pytest

from datahub_assets.domain.datasets import MARKET, OHLC
from datahub_assets.domain.errors import CacheUnusable, HubUnavailable
from datahub_assets.domain.gaps import TAIL_GRACE_MS
from datahub_assets.domain.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.domain.ledgers import CORRECTIONS, GAPS
from datahub_assets.stores.cache import Cache
from datahub_assets.stores.rebuild import move_aside, rebuild
from localhub.testing import HubServer
from tests.stores.world import START_MS, Site, assert_settled, candles, in_cache, ledger_on_hub, market

NOW_H = START_MS - START_MS % HOUR_MS


def fill(site: Site) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History with a hole that was asked about, one that healed, a correction, and a silence at the end."""
    rows = candles(START_MS, pairs=2, back=30, skip=(NOW_H - 5 * HOUR_MS, NOW_H - 9 * HOUR_MS))
    site.tick(OHLC, rows, now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        for question in cache.gaps_to_ask(OHLC, now_ms=START_MS):
            cache.record_asked(OHLC, question, answered=False, now_ms=START_MS + 1)
    healing = candles(START_MS, pairs=1, back=30, intervals=["1h"]).filter(
        pl.col("timestamp").dt.epoch("ms") == NOW_H - 9 * HOUR_MS
    )
    corrected = (
        rows.head(3)
        .tail(1)
        .with_columns(close=pl.col("close") + 1, ingested_at=pl.col("ingested_at") + pl.duration(minutes=1))
    )
    late = START_MS + 2 * HOUR_MS + TAIL_GRACE_MS
    site.store(OHLC, healing, corrected, now_ms=late)
    site.publish(OHLC, now_ms=late)
    prices = market(START_MS)
    site.tick(MARKET, prices, now_ms=START_MS)
    return in_cache(OHLC, site.cache_path), prices


def test_the_cache_comes_back_with_series_gaps_and_corrections(site: Site) -> None:
    candles_before, prices = fill(site)
    gaps_before = in_cache(GAPS, site.cache_path)
    with Cache.open(site.cache_path) as cache:
        coverages, last_times = cache.coverages(OHLC), cache.last_times(OHLC)
    assert gaps_before.filter(pl.col("healed_at").is_null()).height >= 3

    now_ms = START_MS + 3 * HOUR_MS
    taken = rebuild(site.cache_path, (MARKET, OHLC), hub=site.hub, landing=site.home / "landing", now_ms=now_ms)
    assert taken == {"market": prices.height, "ohlc": candles_before.height}
    assert in_cache(OHLC, site.cache_path).equals(candles_before)
    assert in_cache(GAPS, site.cache_path).equals(gaps_before)
    assert in_cache(GAPS, site.cache_path).equals(ledger_on_hub(OHLC, GAPS, site.hub))
    assert in_cache(CORRECTIONS, site.cache_path).height == 1
    with Cache.open(site.cache_path) as cache:
        assert cache.coverages(OHLC) == coverages
        assert cache.last_times(OHLC) == last_times
        assert cache.waiting(OHLC) == 0
    assert site.publish(OHLC, now_ms=START_MS + 2 * HOUR_MS + TAIL_GRACE_MS).commit is None, "nothing to say"

    later = START_MS + DAY_MS
    site.tick(MARKET, market(later), now_ms=later)
    assert_settled(MARKET, site, pl.concat([prices, market(later)]))


def test_only_rows_within_their_retention_come_back_but_all_of_the_series(site: Site) -> None:
    rows = candles(START_MS, pairs=1, back=24 * 120, intervals=["1h"])
    site.tick(OHLC, rows, now_ms=START_MS)
    taken = rebuild(site.cache_path, (OHLC,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    assert taken["ohlc"] == pytest.approx(24 * 90, abs=2)
    with Cache.open(site.cache_path) as cache:
        (coverage,) = cache.coverages(OHLC).values()
    assert coverage.first == rows["timestamp"].dt.epoch("ms").min()


def test_a_damaged_file_is_moved_aside_and_kept(site: Site) -> None:
    fill(site)
    site.cache_path.write_bytes(b"damaged" * 5000)
    with pytest.raises(CacheUnusable, match="rebuild"):
        site.publish(OHLC, now_ms=START_MS + DAY_MS)
    rebuild(site.cache_path, (MARKET, OHLC), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    (aside,) = site.home.glob("cache.sqlite3.aside-*")
    assert aside.read_bytes().startswith(b"damaged")
    assert in_cache(OHLC, site.cache_path).height > 0


def assert_not_lost(site: Site, *prices: pl.DataFrame, now_ms: int) -> None:
    """Of a cache made anew and a tick after it, the Hub has these prices and no others."""
    rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=now_ms)
    site.store(MARKET, now_ms=now_ms)
    site.publish(MARKET, now_ms=now_ms + MINUTE_MS)
    assert_settled(MARKET, site, pl.concat(prices))


def test_what_waits_for_a_commit_is_not_lost(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    site.store(MARKET, market(later), now_ms=later)
    assert_not_lost(site, market(START_MS), market(later), now_ms=later)


def test_without_the_hub_the_old_cache_stays_in_its_place(site: Site, server: HubServer) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    site.store(MARKET, market(later), now_ms=later)
    server.faults.answer(503, error="down", on="", times=1000)
    with pytest.raises(HubUnavailable):
        rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    server.faults.clear()
    assert [path.name for path in site.home.glob("cache.sqlite3*")] == ["cache.sqlite3"]
    assert in_cache(MARKET, site.cache_path).height == 10


def test_what_waits_in_the_landing_folder_is_not_lost(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    site.land(MARKET, market(later), now_ms=later)
    assert_not_lost(site, market(START_MS), market(later), now_ms=later)


def test_without_datasets_on_the_hub_the_new_cache_is_empty(site: Site) -> None:
    assert rebuild(site.cache_path, (MARKET, OHLC), hub=site.hub, landing=site.home / "landing", now_ms=START_MS) == {
        "market": 0,
        "ohlc": 0,
    }
    assert site.tick(MARKET, market(START_MS), now_ms=START_MS).rows == 5


def test_moving_aside_takes_what_sqlite_keeps_beside(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    assert move_aside(path, now_ms=START_MS) is None
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(suffix)
    move_aside(path, now_ms=START_MS)
    names = [f"cache.sqlite3.aside-20251122T093000{suffix}" for suffix in ("", "-shm", "-wal")]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    path.write_text("another")
    again = move_aside(path, now_ms=START_MS)
    assert again == tmp_path / "cache.sqlite3.aside-20251122T093000-2", "the first one is still there"
