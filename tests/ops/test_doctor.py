"""The advice of `datahub doctor` where the obvious one would do harm."""

import os
from pathlib import Path

import pytest

from datahub_assets.domain.datasets import MARKET
from datahub_assets.ops.doctor import Finding, findings
from datahub_assets.settings import Settings
from datahub_assets.stores.cache import Cache
from tests.stores.world import START_MS, market


def cache_finding(home: Path) -> Finding:
    settings = Settings.from_env({"DATAHUB_HOME": str(home)})
    return next(finding for finding in findings(settings) if finding.check == "cache")


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
