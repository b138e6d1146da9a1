"""Snippets run as they are given, against a running server, and read what the permalink answers."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.snippets import query_of, snippets_of
from datahub_assets.domain.datasets import MARKET, OHLC
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.test_process import serving_process
from tests.api.workers import NOW_MS, Workers, candles, prices

AWKWARD_SQL = """SELECT symbol, count(*) AS "n", 'it''s `${x}` "quoted" \\n $HOME 🦎' AS text
FROM ohlc WHERE interval = ? GROUP BY ALL ORDER BY 1"""
QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    "candles": ("/api/hub/ohlc?symbol=BTCUSDT,ETHUSDT&limit=6&order=desc", {}),
    "prices": ("/api/hub/market", {"limit": "3", "format": "csv"}),
    "sql": ("/api/hub/sql", {"q": AWKWARD_SQL, "params": '["1h"]'}),
}


@dataclass(frozen=True)
class Server:
    url: str
    token: str

    def snippets(self, path: str, params: dict[str, str]) -> Any:
        answer = httpx.get(f"{self.url}/api/hub/snippets", params={"path": path, **params}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        assert self.token not in answer.text
        return answer.json()

    def rows(self, permalink: str) -> Any:
        """What a permalink answers, as JSON."""
        return httpx.get(permalink, headers=self.headers | {"Accept": "application/json"}).json()

    def run(self, *command: str) -> str:
        """What code prints that has the token in the environment."""
        environ = {"PATH": os.environ["PATH"], "DATAHUB_TOKEN": self.token, "LANG": "C.UTF-8"}
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def server(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as url:
        yield Server(url, hub.token)


@pytest.fixture(params=QUERIES)
def given(request: pytest.FixtureRequest, server: Server) -> tuple[Any, Any]:
    """A query's snippets, and its rows."""
    path, params = QUERIES[request.param]
    found = server.snippets(path, params)
    rows = server.rows(str(httpx.URL(found["permalink"]).copy_remove_param("format")))
    assert rows
    return found, rows


def test_curl(server: Server, given: tuple[Any, Any]) -> None:
    found, rows = given
    said = server.run("sh", "-c", found["code"]["curl"])
    if "format=csv" in found["permalink"]:
        assert len(said.splitlines()) == len(rows) + 1
    else:
        assert json.loads(said) == rows


def test_python(server: Server, given: tuple[Any, Any]) -> None:
    found, rows = given
    assert ast.literal_eval(server.run(sys.executable, "-c", found["code"]["python"])) == rows


def test_polars(server: Server, given: tuple[Any, Any]) -> None:
    found, rows = given
    said = server.run(sys.executable, "-c", found["code"]["polars"])
    assert f"shape: ({len(rows)}, {len(rows[0])})" in said


def test_duckdb(server: Server, given: tuple[Any, Any]) -> None:
    found, rows = given
    said = server.run(sys.executable, "-c", found["code"]["duckdb"])
    assert all(str(row["symbol"]) in said for row in rows)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_javascript(server: Server, given: tuple[Any, Any]) -> None:
    found, rows = given
    said = server.run("node", "--input-type=module", "--eval", found["code"]["javascript"])
    assert json.loads(said) == rows


def test_a_permalink_goes_on_giving_the_same_answer(
    hub: HubServer, workers: Workers, seeded: Workers, tmp_path: Path
) -> None:
    with serving(hub, tmp_path) as client:
        links = {}
        for name, (path, params) in QUERIES.items():
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


def test_a_cursor_is_pinned_already(client: Client) -> None:
    first = client.get("/api/hub/ohlc", params={"symbol": "BTCUSDT", "limit": 5})
    following = first.links["next"]["url"]
    found = client.get("/api/hub/snippets", params={"path": following}).json()
    link = httpx.URL(found["permalink"])
    assert "revision" not in link.params
    assert client.get(link.raw_path.decode()).json() == client.get(following).json()


def test_the_server_is_named_as_it_was_reached(client: Client) -> None:
    asked = {"path": "/api/hub/market"}
    found = client.get("/api/hub/snippets", params=asked, headers={"Host": "hub.example:8443"}).json()
    assert found["permalink"].startswith("http://hub.example:8443/api/hub/market?")
    odd = client.get("/api/hub/snippets", params=asked, headers={"Host": "x'$(id)"}).json()
    assert "$(id)" not in json.dumps(odd)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (400, None)),
        ({"path": "/api/hub/status"}, (400, "path")),
        ({"path": "/etc/passwd"}, (400, "path")),
        ({"path": "http://[broken"}, (400, "path")),
        ({"path": "x" * 9000}, (400, "path")),
        ({"path": "/api/hub/ohlc"}, (400, "symbol")),
        ({"path": "/api/hub/sql"}, (400, "q")),
        ({"path": "/api/hub/market?limt=3"}, (400, "limt")),
        ({"path": "/api/hub/market", "limt": "3"}, (400, "limt")),
        ({"path": "/api/hub/market", "as_of": "soon"}, (400, "as_of")),
        ({"path": "/api/hub/market", "revision": "main", "as_of": "2100-01-01"}, (400, "as_of")),
        ({"path": "/api/hub/market", "revision": "0" * 40}, (404, None)),
    ],
)
def test_what_is_no_query_is_said(client: Client, params: dict[str, str], expected: tuple[int, str | None]) -> None:
    answer = client.get("/api/hub/snippets", params=params)
    assert (answer.status_code, answer.json().get("parameter")) == expected


def test_a_token_in_a_query_is_not_repeated(client: Client, hub: HubServer) -> None:
    for params in (
        {"path": f"/api/hub/market?x_cg_pro_api_key={hub.token}"},
        {"path": "/api/hub/market", "token": hub.token},
    ):
        answer = client.get("/api/hub/snippets", params=params)
        assert answer.status_code == 400
        assert hub.token not in answer.text


@pytest.mark.parametrize("text", ["'; rm -rf ~; '", "$(id)`id`", '"""', "\\", "a\nb", "${x}", "\u2028", "%0a", "🦎"])
def test_values_stay_values(text: str) -> None:
    query = query_of("/api/hub/sql", [("q", text)])
    found = snippets_of(query, base="http://hub", revision="market@1,ohlc@2")
    shown = subprocess.run(
        ["sh", "-c", found.code["curl"].replace("curl ", "printf '%s\\n' ", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines()[-1] == found.permalink
    assert httpx.URL(found.permalink).params["q"] == text
    for language in ("python", "polars", "duckdb"):
        tree = ast.parse(found.code[language])
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert text in constants
