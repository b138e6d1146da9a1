"""New commits reach those who follow, over HTTP from a served process."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from api.stream.feed import MOST_OF_ONE
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.following import following
from tests.api.process import free_port, process, serving_process
from tests.api.workers import NOW_MS, Workers, candles, prices


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home"), DATAHUB_POLL_S="0.2") as address:
        yield address


def served(url: str, hub: HubServer, dataset: str) -> str:
    answer = httpx.get(
        f"{url}/api/hub/{dataset}",
        params={"limit": 1} | ({"symbol": "BTCUSDT"} if dataset == "ohlc" else {}),
        headers={"Authorization": f"Bearer {hub.token}"},
    )
    return answer.headers["x-revision"]


def test_a_commit_reaches_who_follows_with_the_rows_it_changed(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub, dataset="market,ohlc") as (follower, ready):
        assert follower.headers is not None
        assert follower.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in follower.headers
        assert ready.id == f"market@{ready.data['market']},ohlc@{ready.data['ohlc']}"
        coins = (("bitcoin", "BTC", 1.9e12),)
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000, coins=coins))
        told = follower.next()
        assert (told.name, told.data["dataset"]) == ("commit", "market")
        assert told.data["to"]["revision"] == sha
        assert told.id == f"market@{sha},ohlc@{ready.data['ohlc']}"
        assert told.data["counts"] == {"added": 1, "changed": 0, "removed": 0}
        assert [(row["coin_id"], row["price"]) for row in told.data["added"]] == [("bitcoin", 1.9e6)]
        sha = workers.publish(OHLC, candles(("ETHUSDT",), count=1, seed=1))
        told = follower.next()
        assert told.id.endswith(f",ohlc@{sha}")
        assert [change["after"]["symbol"] for change in told.data["changed"]] == ["ETHUSDT"]
        answer = httpx.get(
            f"{url}/api/hub/diff",
            params={"dataset": "ohlc", "from": told.data["from"]["revision"], "to": sha},
            headers={"Authorization": f"Bearer {hub.token}"},
        )
        assert told.data == answer.json()


def test_only_what_is_of_interest_is_told(url: str, hub: HubServer, workers: Workers) -> None:
    with (
        following(url, hub, dataset="ohlc", symbol="btcusdt", interval="4h") as (pair, ready),
        following(url, hub, symbol="ethereum") as (coin, _),
    ):
        assert ready.id == ready.data["ohlc"]
        workers.publish(OHLC, candles(("BTCUSDT", "ETHUSDT"), interval="1h", count=1, seed=2))
        workers.publish(OHLC, candles(("ETHUSDT",), interval="4h", count=1, seed=2))
        workers.publish(
            MARKET, prices(at_ms=NOW_MS + 120_000, coins=(("bitcoin", "BTC", 1.7e12), ("ethereum", "ETH", 5e11)))
        )
        last = workers.publish(OHLC, candles(("BTCUSDT", "ETHUSDT"), interval="4h", count=1, seed=3))
        told = pair.next()
        assert told.id == told.data["to"]["revision"] == last
        assert [change["after"]["symbol"] for change in told.data["changed"]] == ["BTCUSDT"]
        assert [change["before"]["symbol"] for change in told.data["changed"]] == ["BTCUSDT"]
        told = coin.next()
        assert [row["coin_id"] for row in told.data["added"]] == ["ethereum"]
        assert told.data["counts"]["added"] == 1


def test_head_takes_neither_the_connection_nor_a_place(url: str, hub: HubServer) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {hub.token}"}) as client:
        for _ in range(MOST_OF_ONE + 1):
            answer = client.head("/api/hub/stream")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"].startswith("text/event-stream")
        assert client.get("/api/hub/health").status_code == 200, "on the connection of all of these"


@pytest.mark.parametrize("query", ["dataset=ohlc,market", "dataset=ohlc&dataset=market", "dataset="])
def test_datasets_are_a_list_like_any_other(url: str, hub: HubServer, query: str) -> None:
    address = f"{url}/api/hub/stream?{query}"
    with httpx.stream("GET", address, headers={"Authorization": f"Bearer {hub.token}"}) as answer:
        assert answer.status_code == 200
        first = next(answer.iter_text())
    end = "\n" if "ohlc" in query else ",listings@"  # none named: all are meant
    assert f"id: market@{served(url, hub, 'market')},ohlc@{served(url, hub, 'ohlc')}{end}" in first


def test_a_follower_goes_on_where_it_was(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub) as (_, ready):
        since = ready.id
    shas = [workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=seed)) for seed in (5, 6, 7)]
    until(lambda: served(url, hub, "ohlc") == shas[-1])
    with following(url, hub, since=since) as (follower, ready):
        assert ready.id == since
        told = [follower.next() for _ in shas]
        assert [found.data["to"]["revision"] for found in told] == shas
        later = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=8))
        assert follower.next().data["to"]["revision"] == later
    with following(url, hub, since=shas[1], dataset="ohlc") as (follower, _):
        assert [follower.next().id for _ in range(2)] == [shas[2], later]
    with following(url, hub, since=shas[2]) as (follower, _):
        told_one = follower.next()
        assert told_one.data["to"]["revision"] == later
        assert told_one.id.startswith("market@")


def test_followers_see_every_commit_once_however_fast_they_come(url: str, hub: HubServer, workers: Workers) -> None:
    with following(url, hub, dataset="ohlc") as (follower, ready):
        at = ready.id
        for seed in range(10, 20):
            last = workers.publish(OHLC, candles(("BTCUSDT",), count=1, seed=seed))
        seen = 0
        while at != last:
            told = follower.next()
            assert told.data["from"]["revision"] == at, "told of commits in their order, without a hole"
            at = told.id
            seen += 1
        assert seen == 10


def test_an_unknown_commit_means_a_new_start(url: str, hub: HubServer) -> None:
    with following(url, hub, since="0" * 40, dataset="market") as (follower, _):
        told = follower.next()
        assert (told.name, told.data["dataset"]) == ("restart", "market")
        assert told.id == told.data["revision"] == served(url, hub, "market")


@pytest.mark.parametrize(
    ("params", "since", "expected"),
    [
        ({"dataset": "weather"}, None, (404, "unknown_dataset")),
        ({"symbol": "BTCUSDX"}, None, (404, "unknown_symbol")),
        ({"dataset": "ohlc", "symbol": "bitcoin"}, None, (404, "unknown_symbol")),
        ({"interval": "9h"}, None, (404, "unknown_interval")),
        ({"sybmol": "BTC"}, None, (400, "unknown_parameter")),
        ({}, "yesterday", (400, "invalid_parameter")),
        ({}, "market@123,ohlc@456", (400, "invalid_parameter")),
    ],
)
def test_what_cannot_be_followed_is_said(
    url: str, hub: HubServer, params: dict[str, str], since: str | None, expected: tuple[int, str]
) -> None:
    headers = {"Authorization": f"Bearer {hub.token}"} | ({"Last-Event-ID": since} if since else {})
    answer = httpx.get(f"{url}/api/hub/stream", params=params, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == expected


def test_following_wants_a_token(url: str) -> None:
    assert httpx.get(f"{url}/api/hub/stream").status_code == 401


def test_a_server_that_stops_ends_its_streams(hub: HubServer, seeded: Workers, tmp_path: Any) -> None:
    port = free_port()
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    with process(environ, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _is_following(url, hub), timeout_s=60)
        with following(url, hub) as (follower, _):
            started.send_signal(signal.SIGTERM)
            assert follower.ended()
            said, _ = started.communicate(timeout=10)
    assert started.returncode == 0
    assert "refused to gracefully stop" not in said


def test_one_account_does_not_take_all_streams(url: str, hub: HubServer) -> None:
    address, headers = f"{url}/api/hub/stream", {"Authorization": f"Bearer {hub.token}"}
    with ExitStack() as opened:
        for _ in range(MOST_OF_ONE):
            assert opened.enter_context(httpx.stream("GET", address, headers=headers)).status_code == 200
        answer = httpx.get(address, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
        assert f"{MOST_OF_ONE} streams" in answer.json()["detail"]
        with following(url, hub, token=hub.add_user("dora", role="read")):
            pass
    until(lambda: _is_following(url, hub))


def _is_following(url: str, hub: HubServer) -> bool:
    try:
        with httpx.stream("GET", f"{url}/api/hub/stream", headers={"Authorization": f"Bearer {hub.token}"}) as answer:
            first = next(answer.iter_text())
            return "market" in first.partition("data: ")[2] and "ohlc" in first
    except (httpx.TransportError, StopIteration):
        return False
