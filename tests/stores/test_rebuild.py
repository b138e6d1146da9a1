"""A lost or damaged cache comes back from the Hub, and goes on as if nothing had happened."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.data_files import is_data
from datahub_assets.domain.errors import CacheUnusable, HubUnavailable
from datahub_assets.domain.gaps import TAIL_GRACE_MS
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.commit_budget import CommitLimits
from datahub_assets.stores.hub import layout
from datahub_assets.stores.publish import losses
from datahub_assets.stores.recovery import inherited_gaps
from datahub_assets.stores.recovery.rebuild import move_aside, rebuild
from localhub.testing import HubServer
from tests.stores.world import (
    CORRECTIONS,
    GAPS,
    START_MS,
    Site,
    assert_settled,
    candles,
    in_cache,
    ledger_on_hub,
    market,
    on_hub,
)

NOW_H = START_MS - START_MS % HOUR_MS


def fill(site: Site) -> tuple[pl.DataFrame, pl.DataFrame]:
    """History with a hole that was asked about, one that healed, a correction, and a silence at the end."""
    rows = candles(START_MS, pairs=2, back=30, skip=(NOW_H - 5 * HOUR_MS, NOW_H - 9 * HOUR_MS))
    site.tick(OHLC, rows, now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        for question in cache.gaps(OHLC).to_ask(now_ms=START_MS):
            cache.gaps(OHLC).record_asked(question, answered=False, now_ms=START_MS + 1)
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
        coverages, last_times = cache.gaps(OHLC).coverages(), cache.series(OHLC).last_times()
    assert gaps_before.filter(pl.col("healed_at").is_null()).height >= 3

    now_ms = START_MS + 3 * HOUR_MS
    taken = rebuild(site.cache_path, (MARKET, OHLC), hub=site.hub, landing=site.home / "landing", now_ms=now_ms)
    assert taken == {"market": prices.height, "ohlc": candles_before.height}
    assert in_cache(OHLC, site.cache_path).equals(candles_before)
    assert in_cache(GAPS, site.cache_path).equals(gaps_before)
    assert in_cache(GAPS, site.cache_path).equals(ledger_on_hub(OHLC, GAPS, site.hub))
    assert in_cache(CORRECTIONS, site.cache_path).height == 1
    with Cache.open(site.cache_path) as cache:
        assert cache.gaps(OHLC).coverages() == coverages
        assert cache.series(OHLC).last_times() == last_times
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
        (coverage,) = cache.gaps(OHLC).coverages().values()
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


def test_what_the_hub_does_not_know_is_carried_over(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    rejected = Rejected(dataset="market", subject="coin-9", reason="price: -1 is negative", raw='{"id": "coin-9"}')
    site.store(MARKET, market(later), now_ms=later, rejected=[rejected])
    with Cache.open(site.cache_path) as cache:
        repo = site.hub.repo_url(MARKET)
        cache.budget.refused(retry_after_s=120, now_ms=later)
        cache.set_note(MARKET, "pause_until_ms", later + HOUR_MS)
        cache.set_note(MARKET, "rows_owed", {"repo": repo, "rows": 7, "until": START_MS})
        cache.set_note(MARKET, inherited_gaps.NOTE, repo)
        cache.series(OHLC).note_rechecks([("BTCUSDT", "1h")], failed=(), now_ms=START_MS)
        before = facts_of(cache, now_ms=later)
        lines = cache.quarantined(MARKET).latest(limit=9)
        commits = cache.database.rows("SELECT repo, sha, at, rows, bytes FROM commits")
    rebuild(site.cache_path, (MARKET, OHLC), hub=site.hub, landing=site.home / "landing", now_ms=later + MINUTE_MS)
    with Cache.open(site.cache_path) as cache:
        assert facts_of(cache, now_ms=later) == before
        assert cache.quarantined(MARKET).latest(limit=9) == lines != []
        assert cache.database.rows("SELECT repo, sha, at, rows, bytes FROM commits") == commits
        assert losses.owed(MARKET, repo=repo, cache=cache) == 7
        assert cache.note(MARKET, inherited_gaps.NOTE) is None, "the ledger was read anew"


def facts_of(cache: Cache, *, now_ms: int) -> tuple[object, ...]:
    limits = CommitLimits(publish_interval_s=300, commits_per_hour=10)
    return (
        cache.series(OHLC).rechecks(),
        cache.budget.strain(),
        cache.budget.commits_since(now_ms - HOUR_MS),
        cache.budget.wait(MARKET, limits=limits, now_ms=now_ms),
        cache.note(MARKET, "pause_until_ms"),
    )


def test_what_the_hub_lost_goes_there_again_from_the_old_cache(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    site.tick(MARKET, market(later), now_ms=later)
    path = min(path for path in site.hub.files(MARKET, revision=site.hub.head(MARKET)) if is_data(path))
    site.hub._api.delete_file(path, site.hub.repo_id(MARKET), repo_type="dataset")
    assert on_hub(MARKET, site.hub).height < 10
    later += MINUTE_MS
    rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    with Cache.open(site.cache_path) as cache:
        assert losses.owed(MARKET, repo=site.hub.repo_url(MARKET), cache=cache) > 0
    site.store(MARKET, now_ms=later)
    site.publish(MARKET, now_ms=later + MINUTE_MS)
    assert_settled(MARKET, site, pl.concat([market(START_MS), market(START_MS + MINUTE_MS)]))
    with Cache.open(site.cache_path) as cache:
        assert losses.owed(MARKET, repo=site.hub.repo_url(MARKET), cache=cache) == 0


def test_somebodys_own_file_is_not_taken_in(site: Site) -> None:
    rows = market(START_MS)
    site.tick(MARKET, rows, now_ms=START_MS)
    theirs = layout.write(MARKET, market(START_MS - MINUTE_MS))
    repo = site.hub.repo_id(MARKET)
    site.hub._api.upload_file(
        path_or_fileobj=theirs, path_in_repo="data/mine.parquet", repo_id=repo, repo_type="dataset"
    )
    taken = rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    assert taken == {"market": rows.height}


def test_a_repo_that_is_gone_is_a_loss_and_is_filled_again(site: Site) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.hub._api.delete_repo(site.hub.repo_id(MARKET), repo_type="dataset")
    rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    with Cache.open(site.cache_path) as cache:
        assert losses.owed(MARKET, repo=site.hub.repo_url(MARKET), cache=cache) == 5
    site.store(MARKET, now_ms=START_MS)
    site.publish(MARKET, now_ms=START_MS + MINUTE_MS)
    assert_settled(MARKET, site, market(START_MS))


def test_a_correction_that_waits_is_not_lost(site: Site) -> None:
    rows = candles(START_MS, pairs=1, intervals=["1h"])
    site.tick(OHLC, rows, now_ms=START_MS)
    later = START_MS + MINUTE_MS
    changed = (
        rows.filter(pl.col("closed"))
        .head(1)
        .with_columns(close=pl.col("close") + 0.25, ingested_at=pl.col("ingested_at") + pl.duration(minutes=1))
    )
    site.store(OHLC, changed, now_ms=later)
    corrected = in_cache(CORRECTIONS, site.cache_path)
    assert corrected.height == 1
    rebuild(site.cache_path, (OHLC,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    site.store(OHLC, now_ms=later)
    site.publish(OHLC, now_ms=later + MINUTE_MS)
    assert in_cache(CORRECTIONS, site.cache_path).equals(corrected)
    assert ledger_on_hub(OHLC, CORRECTIONS, site.hub).equals(corrected)


def test_of_a_cache_damaged_in_part_the_rest_is_carried_over_and_the_loss_is_named(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.tick(MARKET, market(START_MS, coins=2000), now_ms=START_MS)
    later = START_MS + MINUTE_MS
    lines = [Rejected("market", f"coin-{n}", "no price", "x" * 500) for n in range(200)]
    site.store(MARKET, market(later), now_ms=later, rejected=lines)
    damage(site.cache_path, "quarantine")
    rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=later)
    assert "the old cache is damaged: the quarantine could not be saved (" in caplog.text
    assert "cache rebuild" not in caplog.text
    site.store(MARKET, now_ms=later)
    site.publish(MARKET, now_ms=later + MINUTE_MS)
    assert_settled(MARKET, site, pl.concat([market(START_MS, coins=2000), market(later)]))


def test_nobody_is_told_to_run_what_is_being_run(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.tick(MARKET, market(START_MS), now_ms=START_MS)
    site.cache_path.write_bytes(b"damaged" * 5000)
    rebuild(site.cache_path, (MARKET,), hub=site.hub, landing=site.home / "landing", now_ms=START_MS)
    assert "nothing can be saved of the old cache (file is not a database)" in caplog.text
    assert "cache rebuild" not in caplog.text


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


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
