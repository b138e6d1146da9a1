"""A stack that runs and does not tick is noticed, and nothing else is taken for one."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from datahub_assets.cli import main
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.domain.worker_status import Chain
from datahub_assets.ops.commands import ticks
from datahub_assets.ops.commands.doctor.checks import Check, CheckFailed, checks
from datahub_assets.ops.supervise import home_lock
from datahub_assets.settings import Settings
from datahub_assets.stores.cache.cache import PAUSE_NOTE, Cache
from datahub_assets.stores.worker_status import WorkerStatusFile

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def settings(tmp_path: Path, now_ms: int) -> Iterator[Settings]:
    """An `up` that runs since an hour."""
    with home_lock.held(tmp_path):
        since_ns = (now_ms - HOUR_MS) * 1_000_000
        os.utime(tmp_path / "up.lock", ns=(since_ns, since_ns))
        yield Settings.from_env(
            {
                "DATAHUB_HOME": str(tmp_path),
                "DATAHUB_API_PORT": "1",
                "DATAHUB_DAGSTER_PORT": "1",
                "DATAHUB_DATASETS": "market,ohlc",
            }
        )


def told(settings: Settings, *, last_tick_ms: int, succeeded: bool = True) -> None:
    status = WorkerStatusFile(settings.home)
    for name in DATASETS:
        status.ticked(name, now_ms=last_tick_ms)
        if succeeded:
            status.succeeded(name, Chain(), now_ms=last_tick_ms)


def check(settings: Settings, name: str) -> Check:
    return next(one for one in checks(settings) if one.name == name)


def test_a_stack_that_ticks_is_well(settings: Settings, now_ms: int) -> None:
    told(settings, last_tick_ms=now_ms - 4 * MINUTE_MS)
    assert ticks.silence(settings, now_ms=now_ms) is None


@pytest.mark.parametrize("ever", [True, False])
def test_a_stack_that_does_not_tick_is_noticed_with_the_way_out(settings: Settings, now_ms: int, ever: bool) -> None:
    if ever:
        told(settings, last_tick_ms=now_ms - 6 * MINUTE_MS)
    assert ticks.silence(settings, now_ms=now_ms) is not None
    found = check(settings, "ticks")
    with pytest.raises(CheckFailed, match=f"no run began: market for {6 if ever else 60} minutes"):
        found.look()
    assert f"remove {settings.dagster_home}" in found.fix
    shown = CliRunner().invoke(main, ["status"], env={"DATAHUB_HOME": str(settings.home)})
    assert shown.exit_code == 1
    assert f"remove {settings.dagster_home}" in shown.output


def test_nothing_that_is_no_silence_is_taken_for_one(settings: Settings, now_ms: int) -> None:
    told(settings, last_tick_ms=now_ms - 9 * MINUTE_MS, succeeded=False)
    assert ticks.silence(settings, now_ms=now_ms) is None, "a first fill takes long"
    told(settings, last_tick_ms=now_ms - 11 * MINUTE_MS, succeeded=False)
    assert str(ticks.silence(settings, now_ms=now_ms)).endswith("market for 11 minutes"), "that of candles takes longer"
    told(settings, last_tick_ms=now_ms - 30 * MINUTE_MS)
    with Cache.open(settings.cache_path) as cache:
        for spec in DATASETS.values():
            cache.set_note(spec, PAUSE_NOTE, now_ms - MINUTE_MS)
    assert ticks.silence(settings, now_ms=now_ms) is None, "the upstream asked for a pause"
    with Cache.open(settings.cache_path) as cache:
        cache.set_note(MARKET, PAUSE_NOTE, 0)
    assert "market for 30 minutes" in str(ticks.silence(settings, now_ms=now_ms))
    os.utime(settings.home / "up.lock")
    assert ticks.silence(settings, now_ms=now_ms) is None, "it has only just been started"


def test_what_does_not_run_need_not_tick(tmp_path: Path, now_ms: int) -> None:
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path)})
    told(settings, last_tick_ms=now_ms - HOUR_MS)
    assert ticks.silence(settings, now_ms=now_ms) is None


def test_doctor_says_what_to_do_about_a_damaged_worker_status(settings: Settings) -> None:
    path = WorkerStatusFile(settings.home).path
    path.write_text("")
    found = check(settings, "worker status")
    with pytest.raises(CheckFailed, match="cannot be read"):
        found.look()
    assert found.fix == f"remove {path}"
    check(settings, "ticks").look()  # nothing can be said
