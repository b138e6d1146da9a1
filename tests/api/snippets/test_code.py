"""Snippets run as they are given, against a running server, and read what the permalink answers."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.caching.descriptions import Description
from api.web.endpoints import Endpoint
from api.web.snippets import query_of, snippets_of
from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.snippets.queries import MOVING, QUERIES, STREAM, TABLES
from tests.api.workers import Workers

NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")


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
        """What code prints."""
        ended = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def environ(self) -> dict[str, str]:
        """What code is run in: it is told the token, and nothing else of ours."""
        return {"PATH": os.environ["PATH"], "DATAHUB_TOKEN": self.token, "LANG": "C.UTF-8"}


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


def given_by(server: Server, name: str) -> Given:
    found = server.snippets(*QUERIES[name])
    return Given(name, found, server.rows(str(httpx.URL(found["permalink"]).copy_remove_param("format"))))


@pytest.fixture(params=QUERIES)
def given(request: pytest.FixtureRequest, server: Server) -> Given:
    return given_by(server, request.param)


@pytest.fixture(params=sorted(TABLES))
def table(request: pytest.FixtureRequest, server: Server) -> Given:
    table = given_by(server, request.param)
    assert table.answer
    return table


def test_there_are_snippets_for_all_that_answers_data(server: Server) -> None:
    schema = httpx.get(f"{server.url}/schema/openapi.json").json()
    paths = {path for path, item in schema["paths"].items() if "get" in item}
    tried = {path.partition("?")[0] for path, _ in QUERIES.values()}
    asked = {path for path in paths if any(re.fullmatch(re.sub("{.*}", "[^/]+", path), one) for one in tried)}
    assert paths - asked == {"/metrics", "/api/hub/snippets", STREAM}


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


@NEEDS_NODE
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
            marks=NEEDS_NODE,
        ),
    ],
)
def test_code_for_a_stream_says_what_comes_as_it_comes(server: Server, language: str, command: tuple[str, ...]) -> None:
    found = server.snippets(STREAM, {"dataset": "market,ohlc"})
    assert set(found["code"]) == {"curl", "python", "javascript"}
    assert found["revision"] is None
    with subprocess.Popen(
        [*command, found["code"][language]],
        env=server.environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().rstrip() for _ in range(4)]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert "event: ready" in lines
    assert any(line.startswith("id: market@") for line in lines)


@pytest.mark.parametrize("text", ["'; rm -rf ~; '", "$(id)`id`", '"""', "\\", "a\nb", "${x}", "\u2028", "%0a", "🦎"])
def test_values_stay_values(text: str) -> None:
    endpoint = Endpoint(
        "/api/hub/sql", dict.fromkeys(("q", "format", "revision"), False), is_table=True, route="/api/hub/sql"
    )
    query = query_of("/api/hub/sql", [("q", text)], endpoints={endpoint.path: endpoint})
    found = snippets_of(query, Description("market@1,ohlc@2"), base="http://hub")
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
