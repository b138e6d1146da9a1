"""SQL over HTTP in every format: types, nested values, texts and times as the formats write them."""

import io
import json
from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.api.conftest import Client
from tests.api.sql.asking import URL, post


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
