"""SQL over HTTP: the same answers, errors, formats and revisions as every other endpoint has."""

import json
from typing import Any

import pytest

from api.sql.sandbox.pool import SandboxPool
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.registry import DATASETS
from tests.api.conftest import Client, until
from tests.api.sql.asking import URL, post
from tests.api.workers import Workers, candles

COUNT = "SELECT count(*) AS n FROM ohlc"


def test_a_statement_is_answered_with_rows_and_its_commit(client: Client) -> None:
    answer = post(client, COUNT)
    assert answer.status_code == 200, answer.text
    assert answer.json() == [{"n": 600}]
    status = client.get("/api/hub/status").json()
    shas = {name: status[f"{name}_dataset"]["revision"] for name in ("market", "ohlc")}
    assert answer.headers["x-revision"] == shas["ohlc"]
    both = post(client, "SELECT (SELECT count(*) FROM market) AS m, (SELECT count(*) FROM ohlc) AS o")
    assert both.headers["x-revision"] == f"market@{shas['market']},ohlc@{shas['ohlc']}"
    assert both.json() == [{"m": 4, "o": 600}]


def test_get_and_post_agree_and_values_are_bound(client: Client) -> None:
    sql = "SELECT symbol, count(*) AS n FROM ohlc WHERE symbol = $s AND interval = $i GROUP BY ALL"
    values = {"s": "BTCUSDT", "i": "1h"}
    expected = [{"symbol": "BTCUSDT", "n": 100}]
    assert post(client, sql, params=values).json() == expected
    assert client.get(URL, params={"q": sql, "params": json.dumps(values)}).json() == expected
    by_place = sql.replace("$s", "?").replace("$i", "?")
    assert post(client, by_place, params=["BTCUSDT", "1h"]).json() == expected


def test_all_tables_are_there(client: Client) -> None:
    assert [row["name"] for row in post(client, "SHOW TABLES").json()] == sorted(
        [*DATASETS, "corrections", "gaps", "sources"]
    )
    assert post(client, "FROM gaps").json() == []


def test_rows_are_the_same_as_those_of_the_row_endpoint(client: Client) -> None:
    by_sql = post(
        client,
        "SELECT symbol, interval, timestamp, open, high, low, close, volume, provider, closed FROM ohlc"
        " WHERE symbol = 'ETHUSDT' AND interval = '4h' ORDER BY timestamp",
    )
    by_rows = client.get("/api/hub/ohlc", params={"symbol": "ETHUSDT", "interval": "4h"})
    assert by_sql.json() == by_rows.json()


def test_etag_and_304(client: Client) -> None:
    url = {"q": COUNT}
    first = client.get(URL, params=url)
    tag = first.headers["etag"]
    again = client.get(URL, params=url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(URL, params=url).content == first.content
    assert client.get(URL, params=url | {"format": "csv"}).headers["etag"] != tag
    assert client.get(URL, params={"q": COUNT + " "}).headers["etag"] != tag
    assert first.headers["cache-control"] == "private, no-cache"
    pinned = client.get(URL, params=url | {"revision": first.headers["x-revision"]})
    assert "immutable" in pinned.headers["cache-control"]
    assert pinned.content == first.content
    head = client.head(URL, params=url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)


def test_who_has_the_answer_gets_304_also_when_the_statement_has_not_run_here_yet(client: Client) -> None:
    sql = "SELECT count(*) AS the_same_after_a_restart FROM ohlc"
    first = client.get(URL, params={"q": sql})
    statements = client.app.dependencies["statements"].dependency()
    statements._uses.clear()  # what a restart forgets
    again = client.get(URL, params={"q": sql}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_caller_is_one_however_the_token_is_spelled(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it could take the lanes of several, and keep its neighbours waiting."""
    callers = []
    run = SandboxPool.run

    async def watched(self: SandboxPool, *args: Any, **options: Any) -> Any:
        callers.append(options["caller"])
        return await run(self, *args, **options)

    monkeypatch.setattr(SandboxPool, "run", watched)
    token = client.headers["authorization"].partition(" ")[2]
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = client.post(URL, json={"sql": "SELECT now()"}, headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 200
    assert callers == ["owner"] * 3


def test_answers_that_change_by_themselves_are_not_cached(client: Client) -> None:
    answer = client.get(URL, params={"q": "SELECT now() AS t, uuid() AS u"})
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(URL, params={"q": "SELECT now() AS t, uuid() AS u"}).json() != answer.json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"sql": "SELECT nope FROM ohlc"}, 400, "sql_invalid"),
        ({"sql": "SELEKT"}, 400, "sql_invalid"),
        ({"sql": "SELECT ?", "params": []}, 400, "sql_invalid"),
        ({"sql": "COPY ohlc TO 'out.csv'"}, 403, "sql_rejected"),
        ({"sql": "FROM read_text('/etc/passwd')"}, 403, "sql_rejected"),
        ({"sql": "SELECT 1; SELECT 2"}, 403, "sql_rejected"),
        ({"sql": "SELECT * FROM range(200000)"}, 413, "sql_too_large"),
        ({"sql": "SELECT repeat('x', 2000000000)"}, 413, "sql_memory"),
        ({"sql": "SELECT 1", "revision": "nope"}, 404, "revision_unknown"),
        ({"sql": "SELECT 1", "revision": "ohlc@" + "0" * 40}, 404, "revision_unknown"),
        ({"sql": "SELECT 1", "revision": "nope@main"}, 404, "unknown_dataset"),
        ({"sql": "SELECT 1", "as_of": "1999-01-01"}, 404, "revision_unknown"),
        ({"sql": "SELECT 1", "as_of": "yesterday"}, 400, "invalid_parameter"),
        ({"sql": "SELECT 1", "revision": "main", "as_of": "2030-01-01"}, 400, "invalid_parameter"),
        ({"sql": "SELECT 1", "parms": []}, 400, "invalid_parameter"),
        ({"sql": 1}, 400, "invalid_parameter"),
        ({}, 400, "invalid_parameter"),
    ],
)
def test_errors_are_problem_details(client: Client, body: dict[str, Any], status: int, code: str) -> None:
    answer = client.post(URL, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status), problem
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_errors_name_the_place(client: Client) -> None:
    problem = post(client, "SELECT 1,\n  nope\nFROM ohlc").json()
    assert problem["position"] == 12
    assert problem["detail"].endswith("(line 2, column 3)")


@pytest.mark.parametrize("params", ["nope", "1", '"x"', "[1", "\ud800"])
def test_values_of_a_get_must_be_a_list_or_an_object(client: Client, params: str) -> None:
    answer = client.get(URL, params={"q": "SELECT 1", "params": params.encode("utf-8", "surrogatepass")})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def test_a_token_is_needed(client: Client) -> None:
    assert client.post(URL, json={"sql": "SELECT 1"}, headers={"Authorization": ""}).status_code == 401
    assert client.get(URL, params={"q": "SELECT 1"}, headers={"Authorization": ""}).status_code == 401


def test_older_commits_can_be_asked(client: Client, workers: Workers) -> None:
    first = post(client, COUNT)
    sha = workers.publish(OHLC, candles(("SOLUSDT",), count=7))
    until(lambda: post(client, COUNT).headers["x-revision"] == sha)
    assert post(client, COUNT).json() == [{"n": 607}]
    older = post(client, COUNT, revision=first.headers["x-revision"])
    assert (older.json(), older.headers["x-revision"]) == ([{"n": 600}], first.headers["x-revision"])
    named = post(client, COUNT, revision=f"ohlc@{first.headers['x-revision']}")
    assert named.json() == [{"n": 600}]
    assert post(client, COUNT, revision="main").json() == [{"n": 607}]


def test_metrics_tell_of_statements(client: Client) -> None:
    post(client, "SELECT 1")
    assert post(client, "SELECT repeat('x', 2000000000)").status_code == 413

    def told(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    assert told("datahub_sql_answered_total") >= 1
    assert told("datahub_sql_workers_replaced_total") >= 1
    for layer in ("privileges", "files", "system_calls", "memory"):
        assert told(f'datahub_sql_confined{{layer="{layer}"}}') in {0, 1}
    until(lambda: told("datahub_sql_running") == 0)  # the lane of a broken worker stays taken until it is replaced


def test_the_schema_describes_both_ways_to_ask(client: Client) -> None:
    paths = client.get("/schema/openapi.json").json()["paths"][URL]
    assert {"get", "post"} <= paths.keys()
    for operation in (paths["get"], paths["post"]):
        assert {"200", "400", "401", "403", "404", "406", "408", "413", "429", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize(
    "body", [b'{"sql": "SELECT \xff"}', b'{"sql": "SELECT 1", "params": ' + b"[" * 3000 + b"]" * 3000 + b"}"]
)
def test_bodies_no_decoder_reads_to_their_end_are_the_callers_mistake(client: Client, body: bytes) -> None:
    answer = client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize("depth", [33, 500, 960, 2_000])
def test_values_nested_deeper_than_anybody_needs_are_the_callers_mistake(client: Client, depth: int) -> None:
    values = "[" * depth + "]" * depth
    body = f'{{"sql": "SELECT 1", "params": {values}}}'
    for answer in (
        client.post(URL, content=body, headers={"Content-Type": "application/json"}),
        client.get(URL, params={"q": "SELECT 1", "params": values}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter"), answer.text


def test_values_nested_without_end_are_the_callers_mistake(client: Client) -> None:
    answer = client.get(URL, params={"q": "SELECT 1", "params": "[" * 3000 + "]" * 3000})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def test_a_missing_parameter_is_told_without_the_query_string(client: Client) -> None:
    answer = client.get("/api/hub/diff", params={"api_key": "hf_neverechothis"})
    assert answer.status_code == 400
    assert "hf_neverechothis" not in answer.text
