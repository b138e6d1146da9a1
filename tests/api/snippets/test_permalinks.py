"""A permalink gives the same answer for ever, and is an address the caller can reach."""

import json
from pathlib import Path

import httpx
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.snippets.queries import QUERIES
from tests.api.workers import NOW_MS, Workers, candles, prices

LASTING = ("candles", "prices", "sql", "dataset", "datasets", "coverage", "klines", "coins", "coin prices")


def test_a_permalink_goes_on_giving_the_same_answer(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path
) -> None:
    with serving(hub, tmp_path) as client:
        links = {}
        for name in LASTING:
            path, params = QUERIES[name]
            found = client.get("/api/hub/snippets", params={"path": path, **params}).json()
            links[name] = httpx.URL(found["permalink"]).raw_path.decode()
            assert "immutable" in client.get(links[name]).headers["cache-control"]
        before = {name: client.get(link).content for name, link in links.items()}
        workers.publish(OHLC, candles(("BTCUSDT",), count=1, until_ms=NOW_MS, seed=1))
        workers.publish(MARKET, prices(at_ms=NOW_MS + 60_000, factor=2))
    with serving(hub, tmp_path) as client:
        assert {name: client.get(link).content for name, link in links.items()} == before


def test_revision_and_time_are_kept(client: Client) -> None:
    sha = client.get("/api/hub/market").headers["x-revision"]
    for given in ({"revision": sha}, {"as_of": "2100-01-01"}):
        found = client.get("/api/hub/snippets", params={"path": "/api/hub/market", **given}).json()
        assert found["revision"] == sha
        assert httpx.URL(found["permalink"]).params.multi_items() == [("revision", sha)]


def test_both_ends_of_a_difference_are_pinned(client: Client) -> None:
    listed = client.get("/api/hub/revisions?dataset=ohlc").json()["revisions"]
    newest, oldest = listed[0], listed[-1]
    for ends in (f"from_as_of={oldest['at']}", f"from={oldest['revision']}&to=main"):
        found = client.get("/api/hub/snippets", params={"path": f"/api/hub/diff?dataset=ohlc&limit=3&{ends}"}).json()
        link = httpx.URL(found["permalink"])
        assert link.params.multi_items() == [
            ("dataset", "ohlc"), ("limit", "3"), ("from", oldest["revision"]), ("to", newest["revision"]),
        ]  # fmt: skip
        assert "immutable" in client.get(link.raw_path.decode()).headers["cache-control"]


def test_a_cursor_is_pinned_already(client: Client) -> None:
    first = client.get("/api/hub/ohlc", params={"symbol": "BTCUSDT", "limit": 5})
    following = first.links["next"]["url"]
    found = client.get("/api/hub/snippets", params={"path": following}).json()
    link = httpx.URL(found["permalink"])
    assert "revision" not in link.params
    assert client.get(link.raw_path.decode()).json() == client.get(following).json()


def test_a_statement_is_pinned_to_the_commits_of_all_datasets(client: Client) -> None:
    """Which of them it reads is known once it ran."""
    shas = {name: client.get("/api/hub/dataset-info").json()[name]["revision"] for name in DATASETS}
    found = client.get("/api/hub/snippets", params={"path": "/api/hub/sql?q=SELECT+count(*)+FROM+market"}).json()
    assert found["revision"] == ",".join(f"{name}@{sha}" for name, sha in shas.items())
    answer = client.get(httpx.URL(found["permalink"]).raw_path.decode())
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-revision"] == shas["market"]


@pytest.mark.parametrize("name", QUERIES)
def test_the_commits_are_those_that_answer(client: Client, name: str) -> None:
    path, params = QUERIES[name]
    url = httpx.URL(path).copy_merge_params(params)
    answered = client.get(url).headers.get("x-revision")
    asked = client.get("/api/hub/snippets", params={"path": path, **params})
    named = asked.json()["revision"]
    assert asked.headers.get("x-revision") == named
    if name == "sql":
        assert f"ohlc@{answered}" in named.split(",")
    else:
        assert named == answered


def test_the_server_is_named_as_it_was_reached(client: Client) -> None:
    asked = {"path": "/api/hub/market"}
    found = client.get("/api/hub/snippets", params=asked, headers={"Host": "hub.example:8443"}).json()
    assert found["permalink"].startswith("http://hub.example:8443/api/hub/market?")
    odd = client.get("/api/hub/snippets", params=asked, headers={"Host": "x'$(id)"}).json()
    assert "$(id)" not in json.dumps(odd)
    for port in ("65536", "99999"):
        answer = client.get("/api/hub/snippets", params=asked, headers={"Host": f"hub.example:{port}"})
        assert answer.status_code == 200
        assert port not in answer.json()["permalink"]
