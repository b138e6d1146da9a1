"""A disk without room: a clear error at that step, nothing half written, and the next tick with room catches up."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.database import Database
from tests.faults.conftest import OpenWorld, Settle


@pytest.mark.slow
def test_no_room_for_what_was_fetched(open_world: OpenWorld, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world("roll")

    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        if "landing" in Path(f"/proc/self/fd/{handle}").readlink().parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        outcomes = world.light_tick()
    assert ["no space left" in outcome.errors[0] for outcome in outcomes.values()] == [True, True]
    settle(world)


def test_no_room_in_the_cache(open_world: OpenWorld, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has landed waits in its file."""
    world = open_world("first")
    open_database = Database.open

    def cramped(*arguments: Any) -> Database:
        database = open_database(*arguments)
        pages = database.scalar("PRAGMA page_count")
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    Cache.open(world.settings.cache_path).close()
    with monkeypatch.context() as patch:
        patch.setattr(Database, "open", cramped)
        outcomes = world.light_tick()
    assert "no space left" in outcomes["ohlc"].errors[0]
    assert list(world.settings.landing_path.glob("ohlc/*.parquet"))
    settle(world)
