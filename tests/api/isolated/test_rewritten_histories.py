"""Histories that were rewritten, tags that keep what they left, and commits beside the main branch."""

from pathlib import Path

from huggingface_hub import HfApi

from datahub_assets.datasets.candles.spec import OHLC
from localhub.testing import HubServer
from tests.api.conftest import serving, until
from tests.api.isolated.conftest import revision
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles
from tests.localhub.old_commits import date_commits, day


def test_a_rewritten_history_replaces_the_index(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        for step in range(1, 4):
            workers.publish(OHLC, candles(until_ms=NOW_MS + step * HOUR_MS, count=3))
        until(lambda: client.get("/api/hub/revisions?dataset=ohlc").json()["commits"] == 5)
        old = revision(client, "/api/hub/ohlc?symbol=BTCUSDT")
        rows = client.get("/api/hub/ohlc?symbol=BTCUSDT").json()
        HfApi(endpoint=hub.url, token=hub.token).super_squash_history("local/crypto-ohlc-data", repo_type="dataset")
        until(lambda: client.get("/api/hub/revisions?dataset=ohlc").json()["commits"] == 1)
        assert revision(client, "/api/hub/ohlc?symbol=BTCUSDT") != old
        assert client.get("/api/hub/ohlc?symbol=BTCUSDT").json() == rows


def test_what_a_tag_keeps_of_a_rewritten_history_can_be_read(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    api, repo = HfApi(endpoint=hub.url, token=hub.token), "local/crypto-ohlc-data"
    first = workers.publish(OHLC, candles(until_ms=NOW_MS + HOUR_MS, count=2))
    last = workers.publish(OHLC, candles(until_ms=NOW_MS + 2 * HOUR_MS, count=2))
    api.create_tag(repo, tag="kept", revision=last, repo_type="dataset")
    api.super_squash_history(repo, repo_type="dataset")
    with serving(hub, tmp_path / "home") as client:
        until(lambda: client.get("/api/hub/revisions?dataset=ohlc").json()["commits"] > 3)
        listed = {one["revision"]: one for one in client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"]}
        assert listed[last]["refs"] == ["kept"]
        for asked, sha in (("kept", last), (first, first), (f"ohlc@{first}", first), ("main", next(iter(listed)))):
            answer = client.get(f"/api/hub/ohlc?symbol=BTCUSDT&limit=1&revision={asked}")
            assert answer.headers["x-revision"] == sha
        at = client.get("/api/hub/ohlc", params={"symbol": "BTCUSDT", "as_of": listed[first]["at"]})
        assert at.headers["x-revision"] == first
        assert at.json()[-1]["timestamp"] == "2026-11-22T13:00:00Z"


def test_a_history_of_which_the_embedded_hub_dropped_days(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    """The head stays where it is; what went is offered no more, and its last day's state goes by the day's name."""
    shas = [workers.publish(OHLC, candles(until_ms=NOW_MS + step * HOUR_MS, count=2)) for step in range(1, 5)]
    days = dict(zip(shas, (day(1), day(1, hour=13), day(2), day(20)), strict=True))
    date_commits(hub, days, others=day(1, hour=0))
    query = "/api/hub/ohlc?symbol=BTCUSDT&limit=1"

    def listed() -> list[str]:
        return [one["revision"] for one in client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"]]

    with serving(hub, tmp_path / "home") as client:
        until(lambda: set(shas) < set(listed()))
        hub.drop_history(keep_days=7, now=day(20, hour=23))
        assert client.get(f"{query}&revision=2025-11-01").headers["x-revision"] == shas[1], "the tag is asked for"
        newest = workers.publish(OHLC, candles(until_ms=NOW_MS + 9 * HOUR_MS, count=2))
        until(lambda: listed() == [newest, shas[3], shas[2]])
        assert client.get(f"{query}&as_of=2025-11-20T11:00:00Z").headers["x-revision"] == shas[2]
        before = client.get(f"{query}&as_of=2025-11-02T11:00:00Z")
        assert before.status_code == 404
        assert "revision=2025-11-01, the state of 2025-11-01T13:00:00Z" in before.json()["detail"]
        assert "revision=" not in client.get(f"{query}&as_of=2025-11-01T11:00:00Z").json()["detail"]
        assert client.get(f"{query}&revision={shas[0]}").status_code == 404
        assert client.get(f"/api/hub/diff?dataset=ohlc&from={shas[0]}").status_code == 404
        assert client.get("/api/hub/diff?dataset=ohlc&from=2025-11-01").status_code == 200
    with serving(hub, tmp_path / "another-home") as client:
        until(lambda: listed() == [newest, shas[3], shas[2]])
        assert client.get(f"{query}&as_of=2025-11-02T11:00:00Z").status_code == 404
        assert client.get(f"{query}&revision=2025-11-01").headers["x-revision"] == shas[1]


def test_a_commit_beside_the_main_branch_is_asked_for(hub: HubServer, workers: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home") as client:
        api, repo = HfApi(endpoint=hub.url, token=hub.token), "local/crypto-ohlc-data"
        api.create_branch(repo, branch="aside", repo_type="dataset")
        sha = hub.commit(repo, {"notes.txt": b"no rows"}, branch="aside")
        for asked in (sha, "aside"):
            answer = client.get(f"/api/hub/ohlc?symbol=BTCUSDT&limit=1&revision={asked}")
            assert answer.headers.get("x-revision") == sha, answer.text
        for asked in ("0" * 40, "nothing", "../x", "a b", "%00", "x" * 300):
            assert client.get(f"/api/hub/ohlc?symbol=BTCUSDT&revision={asked}").status_code == 404
