"""The advice of `datahub doctor` where the obvious one would do harm."""

import os
from pathlib import Path

import msgspec
import pytest

from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import utc_datetime
from datahub_assets.domain.worker_status import Notice
from datahub_assets.ops.commands.doctor.checks import CheckFailed, Finding, checks, findings
from datahub_assets.ops.commands.status import overview
from datahub_assets.settings import Settings
from datahub_assets.stores.cache import database
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.worker_status import WorkerStatusFile
from tests.stores.world import START_MS, market


def cache_finding(home: Path) -> Finding:
    settings = Settings.from_env({"DATAHUB_HOME": str(home)})
    return next(finding for finding in findings(settings) if finding.check == "cache")


def test_what_run_after_run_warns_of_is_named_by_doctor_and_status(tmp_path: Path) -> None:
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path)})
    (check,) = [check for check in checks(settings) if check.name == "warnings"]
    now = utc_datetime(START_MS)
    notice = Notice(step="market_prices", text="no coin bitconi", level=30, since=now, told_at=now)
    file = WorkerStatusFile(tmp_path)
    file.noticed("market", notice.step, (notice,), now_ms=START_MS)
    assert check.look() == "no run warns of what earlier ones did"
    file.noticed("market", notice.step, (msgspec.structs.replace(notice, held=True),), now_ms=START_MS)
    with pytest.raises(CheckFailed, match="market: no coin bitconi"):
        check.look()
    (market_state,) = [one for one in overview(settings, now_ms=START_MS).chains if one.dataset == "market"]
    assert "no coin bitconi" in market_state.warnings


def test_on_a_full_disk_nobody_is_told_to_rebuild_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache.sqlite3"
    with Cache.open(path) as cache:
        cache.upsert(MARKET, market(START_MS, coins=3000))
    assert cache_finding(tmp_path).ok
    whole = bytearray(path.read_bytes())
    whole[4096 : len(whole) // 2] = b"\xff" * (len(whole) // 2 - 4096)
    path.write_bytes(whole)
    finding = cache_finding(tmp_path)
    assert (finding.ok, "cache rebuild" in finding.fix) == (False, True)
    real = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((1, 1, real.f_blocks, 0, 0, *real[5:])))
    finding = cache_finding(tmp_path)
    assert not finding.ok
    assert "cache rebuild" not in finding.fix
    assert "free some space" in finding.fix


def test_a_busy_cache_is_not_taken_for_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Cache.open(tmp_path / "cache.sqlite3") as cache, cache.database.transaction():
        cache.upsert(MARKET, market(START_MS))
        finding = cache_finding(tmp_path)
    assert not finding.ok
    assert "another process held the cache" in finding.seen
    assert "rebuild" not in finding.fix
    assert "ask again" in finding.fix
    assert cache_finding(tmp_path).ok


def test_a_cache_that_cannot_be_opened_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    Cache.open(path).close()
    path.with_name(f"{path.name}-wal").mkdir()  # of files that may not be opened: root, too, is refused here
    finding = cache_finding(tmp_path)
    assert (finding.ok, "rebuild" in finding.fix) == (False, False)
    assert "can be written" in finding.fix
