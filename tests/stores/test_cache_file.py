"""The file of the cache: full disks, damage, other versions and other processes end in clear words and lose nothing."""

import os
import resource
import threading
from pathlib import Path

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import CacheBusy, CacheError, CacheFull, CacheUnusable
from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.stores.cache import database
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.schema import FORMAT
from tests.stores.world import START_MS, market


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite3"


def test_a_full_disk_keeps_what_was_there_and_says_so(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        pages = cache.database.scalar("PRAGMA page_count")
        cache.database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(CacheFull, match="free some space"):
            cache.upsert(MARKET, market(START_MS + MINUTE_MS, coins=2000))
        cache.database.execute("PRAGMA max_page_count = 1000000")
        assert cache.table(MARKET).count() == 5
        assert cache.upsert(MARKET, market(START_MS + MINUTE_MS)).inserted == 5


@pytest.mark.parametrize(("free_bytes", "outcome"), [(0, CacheFull), (1 << 40, CacheError)])
def test_a_failed_write_is_told_from_a_full_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, outcome: type[CacheError]
) -> None:
    """SQLite says "disk I/O error" of both; here a limit on the size of files makes it."""
    real = os.statvfs(path.parent)
    monkeypatch.setattr(
        os, "statvfs", lambda _: os.statvfs_result((1, 1, real.f_blocks, free_bytes, free_bytes, *real[5:]))
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Cache.open(path) as cache:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, hard))
        try:
            with pytest.raises(CacheError) as caught:
                cache.upsert(MARKET, market(START_MS))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.type is outcome
        assert ("free some space" in str(caught.value)) is (outcome is CacheFull)
        assert cache.upsert(MARKET, market(START_MS)).inserted == 5


def use(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS + MINUTE_MS, coins=3000))
        cache.unpublished(MARKET)


@pytest.mark.parametrize("damage", ["not a database", "torn pages"])
def test_a_damaged_cache_names_the_way_out(path: Path, damage: str) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS, coins=3000))
    if damage == "not a database":
        path.write_bytes(b"this is no database" * 1000)
    else:
        whole = bytearray(path.read_bytes())
        whole[4096 : len(whole) // 2] = b"\xff" * (len(whole) // 2 - 4096)
        path.write_bytes(whole)
    with pytest.raises(CacheUnusable, match="datahub cache rebuild"):
        use(path)


def test_a_cache_of_a_newer_version_is_left_alone(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.database.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(CacheUnusable, match="this version knows"):
        Cache.open(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(CacheError, match="home"):
        Cache.open(tmp_path / "home" / "cache.sqlite3")


def test_readers_do_not_wait_for_a_writer_and_writers_wait_for_each_other(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with Cache.open(path) as other, other.database.transaction():
                other.upsert(MARKET, market(START_MS + MINUTE_MS))
                entered.set()
                leave.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        assert entered.wait(20)
        assert cache.table(MARKET).count() == 5, "the old state, at once"
        leave.set()
        cache.upsert(MARKET, market(START_MS + 2 * MINUTE_MS))
        holder.join()
        assert cache.table(MARKET).count() == 15


def test_opening_a_cache_that_is_complete_writes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    log = path.with_name(f"{path.name}-wal")
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS))
        with cache.database.transaction():
            cache.upsert(MARKET, market(START_MS + MINUTE_MS))
            with Cache.open(path) as reader:
                assert reader.table(MARKET).count() == 5, "a reader waits for no writer"
    with Cache.open(path) as cache:
        size = log.stat().st_size
        for _ in range(3):
            Cache.open(path).close()
        assert log.stat().st_size == size


def test_a_table_that_came_with_a_newer_program_is_made(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.database.execute("CREATE TABLE of_an_older_program (id INTEGER)")
        cache.database.execute("DROP TABLE gaps")
    with Cache.open(path) as cache:
        assert cache.gaps(OHLC).coverages() == {}


def test_a_lock_held_too_long_is_an_error_to_retry(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Cache.open(path) as cache, Cache.open(path) as other, other.database.transaction():
        other.upsert(MARKET, market(START_MS))
        with pytest.raises(CacheBusy, match="another process"):
            cache.upsert(MARKET, market(START_MS))
