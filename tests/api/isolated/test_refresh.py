"""New commits without a restart: at once, only what changed, nothing half, and on without the Hub."""

import itertools
import shutil
import threading
import time
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationCopy, HfApi

from api.engine import poller
from api.health import service as health
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.news.spec import NEWS
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.isolated.conftest import revision
from tests.api.process import free_port, serving_process
from tests.api.workers import NOW_MS, Workers, candles, example, prices

SECRET = "secret-of-the-webhook"


def test_a_reader_never_sees_half_a_commit(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    """Each commit gives all coins one factor; a reader that loops meanwhile sees one factor per answer, in order."""
    shas: list[str] = []
    seen: list[tuple[str, float]] = []
    stop = threading.Event()
    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="0.05") as client:
        newest = revision(client)

        def read() -> None:
            for number in itertools.count():
                if stop.wait(0.002):
                    return
                answer = client.get(f"/api/hub/market?columns=price,market_cap&limit={100 + number % 7}")
                factors = {round(row["price"] * 1e6 / row["market_cap"], 6) for row in answer.json()}
                assert len(factors) == 1, factors
                seen.append((answer.headers["x-revision"], factors.pop()))

        reader = threading.Thread(target=read)
        reader.start()
        for step in range(1, 51):
            sha = workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000, factor=1 + step))
            shas.append(sha)
        until(lambda: revision(client) == shas[-1])
        until(lambda: bool(seen) and seen[-1][0] == shas[-1])
        stop.set()
        reader.join()
    factor_of = {newest: 1.0} | {sha: float(1 + step) for step, sha in enumerate(shas, start=1)}
    assert all(factor_of[sha] == factor for sha, factor in seen)
    order = [sha for sha, _ in itertools.groupby(sha for sha, _ in seen)]
    assert order == sorted(order, key=list(factor_of).index)
    assert len(order) > 10


def test_only_changed_files_are_fetched(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    blobs = tmp_path / "home" / "snapshots" / "blobs"
    with serving(hub, tmp_path / "home") as client:
        before = {path for path in blobs.rglob("*") if path.is_file()}
        sha = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=7))
        until(lambda: revision(client, "/api/hub/ohlc?symbol=BTCUSDT") == sha)
        assert len({path for path in blobs.rglob("*") if path.is_file()} - before) == 1
        assert (
            client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=1").json()[0]["close"]
            == candles(("BTCUSDT",), count=1, seed=7)["close"].item()
        )


def test_a_copy_of_a_file_does_not_double_its_rows(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    sha = workers.publish(OHLC, candles(("BTCUSDT",), count=50, seed=4))
    counted = {"q": "SELECT count(*) AS n, count(DISTINCT (symbol, interval, timestamp)) AS keys FROM ohlc"}
    with serving(hub, tmp_path / "home") as client:
        until(lambda: revision(client, "/api/hub/ohlc?symbol=BTCUSDT") == sha)
        before = client.get("/api/hub/sql", params=counted).json()
        api = HfApi(endpoint=hub.url, token=hub.token)
        repo = "local/crypto-ohlc-data"
        path = next(path for path in api.list_repo_files(repo, repo_type="dataset") if path.startswith("data/1h/"))
        copied = CommitOperationCopy(src_path_in_repo=path, path_in_repo="data/1h/copy of it.parquet")
        sha = api.create_commit(repo, [copied], commit_message="a backup", repo_type="dataset").oid
        until(lambda: revision(client, "/api/hub/ohlc?symbol=BTCUSDT") == sha)
        assert client.get("/api/hub/sql", params=counted).json() == before
        assert before[0]["n"] == before[0]["keys"] > 0


def test_a_webhook_is_quicker_than_the_poll(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="3600", DATAHUB_WEBHOOK_SECRET=SECRET) as client:
        old = revision(client)
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000))
        assert revision(client) == old
        for headers in ({}, {"X-Webhook-Secret": "wrong"}):
            refused = client.post("/api/hub/webhook", json={}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "invalid_webhook")
        began_s = time.perf_counter()
        tell(client)
        until(lambda: revision(client) == sha)
        assert time.perf_counter() - began_s < 1


def test_a_commit_is_seen_while_the_last_word_of_one_is_still_looked_into(
    hub: HubServer, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "_LOOK_AGAIN_S", (3600.0,))
    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="3600", DATAHUB_WEBHOOK_SECRET=SECRET) as client:
        for step in (1, 2, 3):
            tell(client)  # of nothing new, as when a repo's settings change
            time.sleep(0.1)
            sha = workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000))
            tell(client)
            until(lambda: revision(client) == sha)  # noqa: B023 - waited for at once


def tell(client: Client) -> None:
    """The Hub's word that something of the market dataset changed."""
    payload = {"event": {"action": "update", "scope": "repo.content"}, "repo": {"name": "local/crypto-market-data"}}
    told = client.post("/api/hub/webhook", json=payload, headers={"X-Webhook-Secret": SECRET})
    assert told.status_code == 202


def test_without_a_secret_there_is_no_webhook(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        answer = client.post("/api/hub/webhook", json={}, headers={"X-Webhook-Secret": ""})
        assert answer.status_code == 403


def test_without_the_hub_the_last_snapshot_is_served_and_marked_stale(
    hub: HubServer, workers: Workers, tmp_path: Path
) -> None:
    with serving(hub, tmp_path / "home") as client:
        rows = client.get("/api/hub/ohlc?symbol=BTCUSDT").json()
        hub.stop()
        until(lambda: all(one["stale"] for one in client.get("/api/hub/health").json()["datasets"].values()))
        health = client.get("/api/hub/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert "hub_unavailable" in health.json()["datasets"]["ohlc"]["reasons"][0]
        assert client.get("/api/hub/ohlc?symbol=BTCUSDT").json() == rows
        assert client.get("/api/hub/ohlc?symbol=ETHUSDT&limit=3").status_code == 200
        hub.start()
        until(lambda: not client.get("/api/hub/health").json()["datasets"]["ohlc"]["stale"])


def test_a_hub_that_hangs_is_told_before_its_request_is_given_up(
    hub: HubServer, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LEAST_SILENCE_S", 0.5)
    with serving(hub, tmp_path / "home") as client:
        hub.faults.slow(3.0, on="GET /api/datasets/.*ohlc-data/revision/", times=2)
        told: list[str] = []

        def is_stale() -> bool:
            dataset = client.get("/api/hub/health").json()["datasets"]["ohlc"]
            told[:] = dataset["reasons"]
            return bool(dataset["stale"])

        began_s = time.perf_counter()
        until(is_stale)
        assert time.perf_counter() - began_s < 3.0
        assert "did not answer lately" in told[0]
        until(lambda: not client.get("/api/hub/health").json()["datasets"]["ohlc"]["stale"])


def test_what_is_not_there_is_looked_for_less_often_and_found_all_the_same(
    hub: HubServer, workers: Workers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def looks(repo: str) -> int:
        return sum(f"{repo}/revision/" in request for request in hub.faults.seen)

    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="0.05") as client:
        until(lambda: looks(OHLC.repo_name) >= 60)
        assert 0 < looks(NEWS.repo_name) < looks(OHLC.repo_name) / 3
        sha = workers.publish(NEWS, example(NEWS))
        until(lambda: client.get("/api/hub/news").headers.get("x-revision") == sha)  # 503 until then
    loud = [record for record in caplog.records if record.levelname == "WARNING" and record.name == poller.__name__]
    assert not loud, "a dataset that nobody published is no trouble"


def test_a_restart_without_the_hub_serves_what_was_served(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        before = client.get("/api/hub/ohlc?symbol=BTCUSDT")
    hub.stop()
    with serving(hub, tmp_path / "home") as client:
        after = client.get("/api/hub/ohlc?symbol=BTCUSDT")
        assert after.json() == before.json()
        assert after.headers["etag"] == before.headers["etag"]
        assert client.get("/api/hub/market").status_code == 200
    shutil.rmtree(tmp_path / "home" / "snapshots" / "mapped")
    with serving(hub, tmp_path / "home") as client:
        assert client.get("/api/hub/ohlc?symbol=BTCUSDT").json() == before.json()


def test_without_the_hub_and_without_a_snapshot_nothing_can_be_served(hub: HubServer, tmp_path: Path) -> None:
    hub.stop()
    with serving(hub, tmp_path / "home", wait_ready=False) as client:
        answer = client.get("/api/hub/market")
        assert (answer.status_code, answer.json()["code"]) == (503, "dataset_not_ready")
        assert int(answer.headers["retry-after"]) > 0
        for url in ("/api/hub/health", "/api/health"):
            assert client.get(url).status_code == 503
            assert client.get(url).json()["status"] == "unavailable"
        assert client.get("/api/hub/status").json()["market_dataset"]["available"] is False
        assert client.get("/docs").status_code == 200


def test_one_dataset_is_served_while_the_other_is_missing(hub: HubServer, tmp_path: Path) -> None:
    alone = Workers(tmp_path, endpoint=hub.url, token=hub.token)
    alone.publish(MARKET, prices())
    with serving(hub, tmp_path / "home", wait_ready=False) as client:
        until(lambda: client.get("/api/hub/market").status_code == 200)
        assert client.get("/api/hub/ohlc?symbol=BTCUSDT").status_code == 503
        health = client.get("/api/hub/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert any(reason.startswith("ohlc: nothing was read") for reason in health.json()["reasons"])
        assert list(client.get("/api/hub/dataset-info").json()) == ["market"]
        sha = alone.publish(OHLC, candles())
        until(lambda: client.get("/api/hub/ohlc?symbol=BTCUSDT").headers.get("x-revision") == sha)
    alone.close()


def test_a_commit_that_cannot_be_read_is_not_served(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        good = revision(client)
        hub.commit("local/crypto-market-data", {"data/2026-11-22.parquet": b"this is no parquet"})
        until(lambda: client.get("/api/hub/health").json()["datasets"]["market"]["stale"])
        reasons = client.get("/api/hub/health").json()["datasets"]["market"]["reasons"]
        assert "hub_content_invalid" in reasons[0]
        assert revision(client) == good


def test_a_commit_of_the_embedded_hub_is_served_within_a_second(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with HubServer(tmp_path / "hub", webhook_url=f"{url}/api/hub/webhook", webhook_secret=SECRET) as hub:
        workers = Workers(tmp_path, endpoint=hub.url, token=hub.token)
        workers.publish(OHLC, candles())
        workers.publish(MARKET, prices())
        variables = {"DATAHUB_POLL_S": "3600", "DATAHUB_WEBHOOK_SECRET": SECRET}
        token = {"Authorization": f"Bearer {hub.token}"}
        with serving_process(hub, tmp_path / "home", port=port, **variables), httpx.Client(headers=token) as client:
            lags_s = []
            for step in range(1, 6):
                sha = workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000))
                began_s = time.perf_counter()
                until(lambda: client.get(f"{url}/api/hub/market").headers["x-revision"] == sha)  # noqa: B023
                lags_s.append(time.perf_counter() - began_s)
        workers.close()
    assert sorted(lags_s)[len(lags_s) // 2] < 1, lags_s
