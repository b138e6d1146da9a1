"""SQL over HTTP: the same answers, errors, formats and revisions as every other endpoint has."""

import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.sql.sandbox.pool import SandboxPool
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.registry import DATASETS
from tests.api.conftest import Client, until
from tests.api.workers import Workers, candles

URL = "/api/hub/sql"
COUNT = "SELECT count(*) AS n FROM ohlc"


def post(client: Client, sql: str, **body: Any) -> Any:
    return client.post(URL, json={"sql": sql, **body})


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


@pytest.mark.parametrize("name", ["json", "columns", "ndjson", "csv", "parquet", "arrow"])
def test_every_format(client: Client, name: str) -> None:
    sql = "SELECT symbol, [1, 2] AS l, 1.5 AS d, timestamp, sum(trade_count) AS s FROM ohlc GROUP BY ALL ORDER BY 1, 4"
    sql += " LIMIT 3"
    answer = client.post(URL, params={"format": name}, json={"sql": sql})
    assert answer.status_code == 200, answer.text
    readers: dict[str, Callable[[bytes], pl.DataFrame]] = {
        "json": lambda body: pl.DataFrame(json.loads(body)),
        "columns": lambda body: pl.DataFrame(json.loads(body)),
        "ndjson": pl.read_ndjson,
        "csv": pl.read_csv,
        "parquet": lambda body: pl.read_parquet(io.BytesIO(body)),
        "arrow": lambda body: pl.read_ipc_stream(io.BytesIO(body)),
    }
    frame = readers[name](answer.content)
    assert frame.columns == ["symbol", "l", "d", "timestamp", "s"]
    assert frame["symbol"].to_list() == ["BTCUSDT"] * 3
    assert [float(value) for value in frame["d"]] == [1.5] * 3
    if name == "csv":
        assert frame["l"].to_list() == ["[1,2]"] * 3


def test_parquet_holds_texts_of_one_kind_however_deep_they_lie(client: Client) -> None:
    sql = (
        "SELECT ['a', NULL] AS l, [{'x': 't', 'y': [1.5::DOUBLE]}] AS ls, {'s': 't', 'n': {'deep': [['q']]}} AS s,"
        " NULL::STRUCT(t VARCHAR) AS n, timestamp AS t, [timestamp] AS ts, 'x' AS \"a.b\" FROM ohlc LIMIT 3"
    )
    answer = client.post(URL, params={"format": "parquet"}, json={"sql": sql})
    assert answer.status_code == 200, answer.text
    table = pq.read_table(io.BytesIO(answer.content))
    assert {field.name: str(field.type) for field in table.schema} == {
        "l": "list<element: string>",
        "ls": "list<element: struct<x: string, y: list<element: double>>>",
        "s": "struct<s: string, n: struct<deep: list<element: list<element: string>>>>",
        "n": "struct<t: string>",
        "t": "timestamp[us, tz=UTC]",
        "ts": "list<element: timestamp[us, tz=UTC]>",
        "a.b": "string",
    }
    assert (
        table.drop_columns(["t", "ts"]).to_pylist()
        == [
            {
                "l": ["a", None],
                "ls": [{"x": "t", "y": [1.5]}],
                "s": {"s": "t", "n": {"deep": [["q"]]}},
                "n": None,
                "a.b": "x",
            }
        ]
        * 3
    )


def test_numbers_can_come_as_text_and_whole_ones_stay_numbers(client: Client) -> None:
    sql = "SELECT 0.1::DOUBLE AS a, 12345678901234567890.12 AS b, 3 AS c, sum(4) AS d"
    row = client.post(URL, params={"numbers": "string"}, json={"sql": sql}).json()[0]
    assert row == {"a": "0.1", "b": "12345678901234567890.12", "c": 3, "d": 4}
    assert post(client, sql).json()[0] == {"a": 0.1, "b": 12345678901234567890.12, "c": 3, "d": 4}


def test_nested_times_and_numbers_are_written_like_others(client: Client) -> None:
    sql = (
        "SELECT [TIMESTAMP '2025-01-01 00:00:00', NULL] AS l, [1.5::DECIMAL(5, 2)] AS d,"
        " {'t': TIMESTAMPTZ '2025-01-01 00:00:00.5+00', 'x': [0.1::DOUBLE]} AS s, NULL::STRUCT(t TIMESTAMP) AS n"
    )
    times = ["2025-01-01T00:00:00", None]
    assert post(client, sql).json() == [
        {"l": times, "d": [1.5], "s": {"t": "2025-01-01T00:00:00.500Z", "x": [0.1]}, "n": None}
    ]
    exact = client.post(URL, params={"numbers": "string"}, json={"sql": sql}).json()
    assert exact == [{"l": times, "d": ["1.50"], "s": {"t": "2025-01-01T00:00:00.500Z", "x": ["0.1"]}, "n": None}]


def test_times_without_a_zone_are_written_without_one(client: Client) -> None:
    sql = "SELECT TIMESTAMPTZ '2026-07-01 12:00:00+00' AS utc, utc AT TIME ZONE 'America/New_York' AS ny, [ny] AS l"
    written = {"utc": "2026-07-01T12:00:00Z", "ny": "2026-07-01T08:00:00", "l": ["2026-07-01T08:00:00"]}
    assert post(client, sql).json() == [written]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_content_coding_does_not_change_the_types_of_an_answer(client: Client, coding: str) -> None:
    sql = "SELECT [1, 2] AS l, {'a': 'x'} AS s, TIME '10:00' AS t, TIMESTAMP_S '2026-01-01' AS m FROM range(500)"
    schemas = []
    for accepted in ("identity", coding):
        accepts = {"Accept-Encoding": accepted}
        answer = client.post(URL, params={"format": "arrow"}, json={"sql": sql}, headers=accepts)
        assert answer.headers.get("content-encoding", "identity") == accepted
        table = pa.ipc.open_stream(answer.content).read_all()
        assert table.num_rows == 500
        schemas.append(table.schema)
    assert schemas[0] == schemas[1]


def test_columns_without_rows_are_json_whatever_they_are_called(client: Client) -> None:
    sql = 'SELECT 1 AS "a""b", 2 AS "\u00e4\\" WHERE false'
    assert post(client, sql).json() == []
    answer = client.post(URL, params={"format": "columns"}, json={"sql": sql})
    assert answer.json() == {'a"b': [], "\u00e4\\": []}


def test_large_answers_stream(client: Client) -> None:
    sql = "SELECT range AS n, 'x' AS text FROM range(50000)"
    rows = post(client, sql).json()
    assert len(rows) == 50_000
    assert rows[-1] == {"n": 49_999, "text": "x"}


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
