"""Snippets run as they are given, against a running server, and read what the permalink answers."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.endpoints import Endpoint
from api.snippets import query_of, snippets_of
from api.stream import MOST_LISTENERS
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
    "dataset": ("/api/hub/dataset-info?dataset=ohlc", {}),
    "datasets": ("/api/hub/dataset-info", {}),
    "coverage": ("/api/hub/coverage?symbol=BTCUSDT&symbol=ETHUSDT", {"interval": "4h"}),
    "diff": ("/api/hub/diff?dataset=ohlc&from=main", {}),
    "revisions": ("/api/hub/revisions?dataset=market", {}),
    "status": ("/api/hub/status", {}),
    "health": ("/api/hub/health", {}),
    "system": ("/api/health", {}),
    "errors": ("/api/hub/errors", {}),
    "klines": ("/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "3"}),
    "pairs": ('/binance/api/v3/exchangeInfo?symbols=["BTCUSDT"]', {}),
    "time": ("/binance/api/v3/time", {}),
    "binance": ("/binance/api/v3/ping", {}),
    "coins": ("/coingecko/api/v3/coins/markets?vs_currency=usd&order=id_asc", {}),
    "coin prices": ("/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd", {}),
    "coingecko": ("/coingecko/api/v3/ping", {}),
}
MOVING = {"status", "health", "system", "pairs", "time"}
"""They answer with clocks and ages, so that no two answers are the same."""
TABLES = {"candles", "prices", "sql", "errors", "coins"}
LASTING = ("candles", "prices", "sql", "dataset", "datasets", "coverage", "klines", "coins", "coin prices")
STREAM = "/api/hub/stream"


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


@dataclass(frozen=True)
class Given:
    """A query by its name, its snippets, and what it answers."""

    name: str
    found: Any
    answer: Any

    @property
    def code(self) -> dict[str, str]:
        code: dict[str, str] = self.found["code"]
        return code

    def check(self, said: Any) -> None:
        """What code said is what the query answers; if that moves, it has the same form."""
        if self.name in MOVING:
            assert set(said) == set(self.answer)
        else:
            assert said == self.answer


@pytest.fixture(params=QUERIES)
def given(request: pytest.FixtureRequest, server: Server) -> Given:
    path, params = QUERIES[request.param]
    found = server.snippets(path, params)
    answer = server.rows(str(httpx.URL(found["permalink"]).copy_remove_param("format")))
    return Given(request.param, found, answer)


@pytest.fixture(params=sorted(TABLES))
def table(request: pytest.FixtureRequest, server: Server) -> Given:
    found = server.snippets(*QUERIES[request.param])
    rows = server.rows(str(httpx.URL(found["permalink"]).copy_remove_param("format")))
    assert rows
    return Given(request.param, found, rows)


def test_there_are_snippets_for_all_that_answers_data(server: Server) -> None:
    schema = httpx.get(f"{server.url}/schema/openapi.json").json()
    paths = {path for path, item in schema["paths"].items() if "get" in item}
    tried = {path.partition("?")[0] for path, _ in QUERIES.values()}
    assert paths - tried == {"/metrics", "/api/hub/snippets", STREAM}


def test_tables_have_code_for_tables(given: Given) -> None:
    languages = {"curl", "python", "javascript"} | ({"polars", "duckdb"} if given.name in TABLES else set())
    assert set(given.code) == languages


def test_curl(server: Server, given: Given) -> None:
    said = server.run("sh", "-c", given.code["curl"])
    if "format=csv" in given.found["permalink"]:
        assert len(said.splitlines()) == len(given.answer) + 1
    else:
        given.check(json.loads(said))


def test_python(server: Server, given: Given) -> None:
    given.check(ast.literal_eval(server.run(sys.executable, "-c", given.code["python"])))


def test_polars(server: Server, table: Given) -> None:
    said = server.run(sys.executable, "-c", table.code["polars"])
    assert f"shape: ({len(table.answer)}, {len(table.answer[0])})" in said


def test_duckdb(server: Server, table: Given) -> None:
    said = server.run(sys.executable, "-c", table.code["duckdb"])
    column = next(iter(table.answer[0]))
    listed = [str(row[column]) for row in table.answer]
    assert all(value in said for value in (listed if len(listed) < 30 else [listed[0], listed[-1]]))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_javascript(server: Server, given: Given) -> None:
    given.check(json.loads(server.run("node", "--input-type=module", "--eval", given.code["javascript"])))


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("curl", ("sh", "-c")),
        ("python", (sys.executable, "-c")),
        pytest.param(
            "javascript",
            ("node", "--input-type=module", "--eval"),
            marks=pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here"),
        ),
    ],
)
def test_code_for_a_stream_says_what_comes_as_it_comes(server: Server, language: str, command: tuple[str, ...]) -> None:
    found = server.snippets(STREAM, {"dataset": "market,ohlc"})
    assert set(found["code"]) == {"curl", "python", "javascript"}
    assert found["revision"] is None
    environ = {"PATH": os.environ["PATH"], "DATAHUB_TOKEN": server.token, "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [*command, found["code"][language]], env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().rstrip() for _ in range(4)]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert "event: ready" in lines
    assert any(line.startswith("id: market@") for line in lines)


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
        ({"path": "/metrics"}, (400, "path")),
        ({"path": "/api/hub/snippets?path=/api/hub/market"}, (400, "path")),
        ({"path": "/api/hub/webhook"}, (400, "path")),
        ({"path": "/etc/passwd"}, (400, "path")),
        ({"path": "http://[broken"}, (400, "path")),
        ({"path": "x" * 9000}, (400, "path")),
        ({"path": "/api/hub/ohlc"}, (400, "symbol")),
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


@pytest.mark.parametrize(
    "query",
    [
        "/api/hub/ohlc?symbol=NOPE",
        "/api/hub/ohlc?symbol=BTCUSDT&interval=7h",
        "/api/hub/ohlc?symbol=BTCUSDT&cursor=made-up",
        "/api/hub/market?limit=0",
        "/api/hub/market?limit=many",
        "/api/hub/market?limit=1&limit=2",
        "/api/hub/market?format=xml",
        "/api/hub/market?coin_ids=nope",
        "/api/hub/sql",
        "/api/hub/sql?q=SELEC+1",
        "/api/hub/sql?q=COPY+ohlc+TO+%27x%27",
        "/api/hub/diff?dataset=ohlc&from=nope",
        "/api/hub/coverage?symbol=NOPE",
        "/api/hub/revisions?dataset=news",
        "/api/hub/stream?dataset=news",
        "/binance/api/v3/klines?symbol=NOPE&interval=1h",
        "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h&limt=1",
        "/coingecko/api/v3/coins/markets",
    ],
)
def test_a_query_that_is_refused_is_refused_in_the_same_words(client: Client, query: str) -> None:
    itself, snippets = client.get(query), client.get("/api/hub/snippets", params={"path": query})
    assert itself.status_code == snippets.status_code >= 400
    assert itself.headers["content-type"] == snippets.headers["content-type"]
    said = [answer.json() for answer in (itself, snippets)]
    for problem in said:
        problem.pop("request_id", None)
    assert said[0] == said[1]


def test_asking_for_snippets_leaves_no_follower_behind(client: Client) -> None:
    """As many as may follow at once, and some more."""
    for _ in range(MOST_LISTENERS + 2):
        assert client.get("/api/hub/snippets", params={"path": STREAM}).status_code == 200


def test_a_query_of_one_dataset_names_it_where_it_could_be_another(client: Client) -> None:
    sha = client.get("/api/hub/market").headers["x-revision"]
    found = client.get("/api/hub/snippets", params={"path": "/api/hub/sql?q=SELECT+count(*)+FROM+market"}).json()
    assert found["revision"] == f"market@{sha}"
    assert "immutable" in client.get(httpx.URL(found["permalink"]).raw_path.decode()).headers["cache-control"]


def test_a_token_in_a_query_is_not_repeated(client: Client, hub: HubServer) -> None:
    for params in (
        {"path": f"/api/hub/market?x_cg_pro_api_key={hub.token}"},
        {"path": "/api/hub/market", "token": hub.token},
    ):
        answer = client.get("/api/hub/snippets", params=params)
        assert answer.status_code == 400
        assert hub.token not in answer.text
    for name in ("x_cg_demo_api_key", "x_cg_pro_api_key", "anything"):
        answer = client.get("/api/hub/snippets", params={"path": f"/coingecko/api/v3/ping?{name}={hub.token}"})
        assert answer.status_code == 200
        assert hub.token not in answer.text


@pytest.mark.parametrize("text", ["'; rm -rf ~; '", "$(id)`id`", '"""', "\\", "a\nb", "${x}", "\u2028", "%0a", "🦎"])
def test_values_stay_values(text: str) -> None:
    endpoint = Endpoint("/api/hub/sql", dict.fromkeys(("q", "format", "revision"), False), is_table=True)
    query = query_of("/api/hub/sql", [("q", text)], endpoints={endpoint.path: endpoint})
    found = snippets_of(query, base="http://hub", revision="market@1,ohlc@2", media_type="application/json")
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
