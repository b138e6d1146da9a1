"""Revisions nobody here knows are asked of the Hub, within limits that keep everybody else served."""

import threading
import time
from pathlib import Path

import pytest

from api.engine.engine import Engine
from datahub_assets.datasets.market.spec import MARKET
from localhub.faults import FOREVER
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import NOW_MS, Workers, prices

REVISION = "/api/hub/market?limit=1&revision="


def has_looked(client: Client) -> bool:
    """Whether the first look at each published dataset is over: branches and tags come after rows are served."""
    datasets = client.get("/api/hub/health").json()["datasets"]
    return all(datasets[name]["hub_seen_age_s"] is not None for name in ("market", "ohlc"))


def test_a_hub_that_hangs_holds_up_only_who_asks_it(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    answers: list[tuple[int, str, float]] = []
    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="3600") as client:
        hub.faults.slow(4.0, on="GET .*/(refs|commits/)", times=FOREVER)

        def ask(number: int) -> None:
            began_s = time.perf_counter()
            answer = client.get(f"{REVISION}{number:040x}")
            answers.append((answer.status_code, answer.json()["code"], time.perf_counter() - began_s))

        asking = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
        for thread in asking:
            thread.start()
        for url in ("/metrics", "/api/health", "/api/hub/market", "/api/hub/ohlc?symbol=BTCUSDT"):
            began_s = time.perf_counter()
            assert client.get(url).status_code == 200
            assert time.perf_counter() - began_s < 1.5, url
        for thread in asking:
            thread.join()
        assert {(status, code) for status, code, _ in answers} == {(503, "dataset_not_ready"), (503, "hub_unavailable")}
        assert max(took_s for _, _, took_s in answers) < 3.5
        hub.faults.clear()


def test_asking_for_a_commit_early_does_not_have_the_history_listed_anew(
    hub: HubServer, workers: Workers, engine: Engine
) -> None:
    engine.refresh("market")
    commits = engine.dataset("market").commits
    shas = [workers.publish(MARKET, prices(at_ms=NOW_MS + step * 60_000)) for step in (1, 2)]
    for sha in shas:
        assert commits.ask(sha) is not None
    seen = len(hub.faults.seen)
    assert engine.refresh("market")
    listings = [request for request in hub.faults.seen[seen:] if "/commits/" in request]
    assert len(listings) == 1, listings
    assert commits.reaches(shas[-1])
    source = engine.dataset("market").library.source
    assert [commit.sha for commit in engine.catalog.commits(source, limit=2)] == shas[::-1]


@pytest.mark.parametrize("revision", ["0" * 40, "nothing"])
def test_what_the_hub_did_not_know_is_not_asked_again_at_once(
    hub: HubServer, workers: Workers, tmp_path: Path, revision: str
) -> None:
    with serving(hub, tmp_path / "home", DATAHUB_POLL_S="3600") as client:
        until(lambda: has_looked(client))
        seen = len(hub.faults.seen)
        for _ in range(5):
            assert client.get(f"{REVISION}{revision}").status_code == 404
        assert len(hub.faults.seen) == seen + 1
