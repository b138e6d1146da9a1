"""What goes wrong on the server's own machine is told as such, and ends nothing: it is got over once it is mended."""

import asyncio
import logging
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from api.engine import poller
from api.engine.engine import Engine
from api.engine.refresh_errors import RefreshFailed, refresh_error
from api.stream import feed as stream
from api.stream.changes import Interest, change_between
from api.stream.feed import Feed
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import DataHubError, HubUnavailable, StorageFailed
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import NOW_MS, Workers, prices


def engine_of(client: Client) -> Engine:
    engine: Engine = client.app.state["answers"]._engine
    return engine


def market(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/hub/health").json()["datasets"]["market"]
    return found


def test_a_disk_that_refuses_is_told_and_got_over(
    hub: HubServer, workers: Workers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    incoming = tmp_path / "home" / "snapshots" / "blobs" / "incoming"
    with serving(hub, tmp_path / "home") as client:
        shutil.rmtree(incoming)
        incoming.touch()  # a file where the folder was: nothing can be written into it
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
        until(lambda: bool(market(client)["stale"]))
        assert "storage_failed" in market(client)["reasons"][0]
        assert "the Hub is not to be read" not in market(client)["reasons"][0]
        assert str(tmp_path) not in client.get("/api/hub/health").text
        seen = len(hub.faults.seen)
        until(lambda: len(hub.faults.seen) > seen + 4)  # it goes on looking
        incoming.unlink()
        until(lambda: client.get("/api/hub/market").headers["x-revision"] == sha)
        until(lambda: not market(client)["stale"])
    told = [record for record in caplog.records if record.levelno >= logging.WARNING and record.name == poller.__name__]
    assert [record.exc_info is not None for record in told] == [True], "once, with its traceback"


def test_a_folder_cleared_away_is_made_anew(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        shutil.rmtree(tmp_path / "home" / "snapshots" / "blobs" / "incoming")
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
        until(lambda: client.get("/api/hub/market").headers["x-revision"] == sha)


def test_sql_goes_on_when_mapped_rows_were_deleted(
    hub: HubServer, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "_TIDY_EVERY_S", 0.1)
    mapped = tmp_path / "home" / "snapshots" / "mapped"
    asked = {"q": "SELECT count(trade_count) AS n FROM ohlc"}
    with serving(hub, tmp_path / "home") as client:
        data = [file for name in ("market", "ohlc") for file in engine_of(client).dataset(name).current.data]
        until(lambda: all(file.is_open for file in data))
        for file in data:
            file.mapped.unlink()
        found = client.get("/api/hub/sql", params=asked)
        assert (found.status_code, found.json()) == (200, [{"n": 200}])
        workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
        until(lambda: len(list(mapped.glob("*.arrow"))) >= len(data))  # tidying up writes them anew


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(28, "No space left on device", "/where/it/was"), StorageFailed),
        (sqlite3.OperationalError("database or disk is full"), StorageFailed),
        (KeyError("surprise"), RefreshFailed),
    ],
)
def test_each_error_has_a_type_and_no_path(error: Exception, kind: type[DataHubError]) -> None:
    found = refresh_error(error)
    assert type(found) is kind
    assert "/where" not in str(found)


def test_a_typed_error_stands_for_itself() -> None:
    error = HubUnavailable("away")
    assert refresh_error(error) is error


def test_a_feed_that_failed_tells_each_commit_once_it_can(
    engine: Engine, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter((False, True, True))

    def failing(*args: Any) -> Any:
        if next(fails, False):
            raise OSError("no space left on device")
        return change_between(*args)

    monkeypatch.setattr(stream, "change_between", failing)
    monkeypatch.setattr(stream, "_TRY_AGAIN_S", 0.02)

    async def run() -> None:
        engine.refresh("market")
        feed = Feed(engine)
        feed.start()
        try:
            await asyncio.to_thread(until, lambda: bool(feed.state))
            async with asyncio.timeout(20):
                with feed.listening(Interest(("market",))) as listener:
                    shas = [workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000)) for step in (1, 2)]
                    engine.refresh("market")
                    feed.changed("market")
                    told = [await listener.queue.get() for _ in shas]
            assert [change.later.sha for change in told if change is not None] == shas
            assert listener.queue.empty()
        finally:
            await feed.stop()

    asyncio.run(run())


def test_an_index_of_commits_that_cannot_be_written_is_got_over(
    engine: Engine, workers: Workers, tmp_path: Path
) -> None:
    engine.refresh("market")
    market = engine.dataset("market")
    sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
    other = sqlite3.connect(tmp_path / "snapshots" / "catalog.sqlite3", isolation_level=None)
    engine.catalog._db.execute("PRAGMA busy_timeout = 50")

    async def run() -> None:
        follows = poller.Poller(engine, poll_s=0.05)
        other.execute("BEGIN IMMEDIATE")
        follows.start()
        try:
            await asyncio.to_thread(until, lambda: isinstance(market.freshness.error, StorageFailed))
            other.execute("ROLLBACK")
            await asyncio.to_thread(until, lambda: market.current.sha == sha and market.freshness.error is None)
        finally:
            await follows.stop()

    asyncio.run(run())
    other.close()


def test_a_commit_is_told_of_also_when_its_history_could_not_be_read(
    engine: Engine, hub: HubServer, workers: Workers
) -> None:
    engine.refresh("market")
    workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
    told: list[str] = []

    async def run() -> None:
        follows = poller.Poller(engine, poll_s=0.05, changed=told.append)
        hub.faults.answer(500, error="no refs", on="GET .*crypto-market-data/refs", times=1)
        follows.start()
        try:
            await asyncio.to_thread(until, lambda: "market" in told)
        finally:
            await follows.stop()

    asyncio.run(run())
