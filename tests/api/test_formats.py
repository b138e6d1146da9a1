"""The same rows in every format and coding, which are chosen as the caller likes them."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from api.encoders import FORMATS
from api.encoders.text import csv as encode_csv
from tests.api.conftest import Client
from tests.api.question import MEDIA_TYPES, URL


def rows(client: Client, url: str = URL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(url).json()
    return found


def test_textual_formats_hold_the_same_rows(client: Client) -> None:
    lines = client.get(f"{URL}&format=ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == rows(client)
    columns = client.get(f"{URL}&format=columns").json()
    assert pl.DataFrame(columns).to_dicts() == rows(client)


def test_csv_holds_the_same_rows(client: Client) -> None:
    lines = list(csv.DictReader(io.StringIO(client.get(f"{URL}&format=csv").text)))
    assert [line["timestamp"] for line in lines] == [row["timestamp"] for row in rows(client)]
    assert [float(line["close"]) for line in lines] == [row["close"] for row in rows(client)]


@pytest.mark.parametrize("name", FORMATS)
def test_equal_rows_are_equal_bytes_however_they_came_together(name: str) -> None:
    """And whatever lies under their nulls: memory that was never written, mostly."""
    bodies = set()
    for dirt in (1, 2):
        values = pa.py_buffer(bytes([dirt]) * 8 * 5_000)
        column = pa.Array.from_buffers(pa.int64(), 5_000, [pa.py_buffer(bytes(625)), values])
        frame = pl.concat([pl.DataFrame({"x": column}), pl.DataFrame({"x": range(100)})], rechunk=False)
        pieces = [frame[: 10 * dirt], frame[10 * dirt :]]
        bodies.add(b"".join(FORMATS[name].encode(pl.concat(pieces, rechunk=False))))
    assert len(bodies) == 1


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_binary_formats_keep_types(client: Client, name: str) -> None:
    body = client.get(f"{URL}&format={name}").content
    table = pa.ipc.open_stream(body).read_all() if name == "arrow" else pq.read_table(io.BytesIO(body))
    kinds = [field.type for field in table.schema]
    assert kinds == [pa.timestamp("us", tz="UTC"), pa.string(), pa.float64(), pa.int64(), pa.bool_()]
    assert table.column("close").to_pylist() == [row["close"] for row in rows(client)]


READERS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "pyarrow": (
        lambda path: [str(kind) for kind in pq.read_schema(path).types],
        ["timestamp[us, tz=UTC]", "string", "double", "int64", "bool"],
    ),
    "polars": (
        lambda path: [str(kind) for kind in pl.read_parquet_schema(path).values()],
        ["Datetime(time_unit='us', time_zone='UTC')", "String", "Float64", "Int64", "Boolean"],
    ),
    "duckdb": (
        lambda path: [str(kind) for kind in duckdb.read_parquet(str(path)).types],
        ["TIMESTAMP WITH TIME ZONE", "VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN"],
    ),
    "pandas": (
        lambda path: [str(kind) for kind in import_module("pandas").read_parquet(path).dtypes],
        ["datetime64[us, UTC]", "str", "float64", "int64", "bool"],
    ),
    "datasets": (
        lambda path: [
            one.dtype
            for one in import_module("datasets")
            .Dataset.from_parquet(str(path), cache_dir=str(path.parent))
            .features.values()
        ],
        ["timestamp[us, tz=UTC]", "string", "float64", "int64", "bool"],
    ),
}


@pytest.mark.parametrize(
    ("reader", "empty"),
    [
        (reader, empty)
        for reader in READERS
        for empty in ("", "&start=2040-01-01")
        if not (empty and reader == "datasets")
    ],
)
@pytest.mark.parametrize("by_sql", [True, False])
def test_what_others_see_in_a_parquet_answer(
    client: Client, tmp_path: Path, reader: str, empty: str, by_sql: bool
) -> None:
    path = tmp_path / "answer.parquet"
    if by_sql:
        condition = "false" if empty else "symbol = 'BTCUSDT'"
        sql = f"SELECT timestamp, symbol, close, trade_count, closed FROM ohlc WHERE {condition}"  # noqa: S608 - no value
        answer = client.post("/api/hub/sql?format=parquet", json={"sql": sql})
    else:
        answer = client.get(f"{URL}{empty}&format=parquet")
    path.write_bytes(answer.content)
    seen, expected = READERS[reader]
    assert seen(path) == expected


@pytest.mark.parametrize(("name", "media_type"), MEDIA_TYPES.items())
def test_format_parameter_and_accept_header_agree(client: Client, name: str, media_type: str) -> None:
    by_name = client.get(f"{URL}&format={name}")
    by_header = client.get(URL, headers={"Accept": f"{media_type}, */*;q=0.1"})
    assert by_name.headers["content-type"].partition(";")[0] == media_type
    assert by_name.content == by_header.content
    assert by_name.headers["etag"] == by_header.headers["etag"]


def test_formats_of_an_empty_answer(client: Client) -> None:
    empty = f"{URL}&start=2040-01-01"
    assert client.get(empty).json() == []
    assert client.get(f"{empty}&format=columns").json() == {
        "timestamp": [], "symbol": [], "close": [], "trade_count": [], "closed": []
    }  # fmt: skip
    assert client.get(f"{empty}&format=ndjson").content == b""
    assert client.get(f"{empty}&format=csv").text == "timestamp,symbol,close,trade_count,closed\n"
    assert pl.read_parquet(client.get(f"{empty}&format=parquet").content).height == 0
    assert pa.ipc.open_stream(client.get(f"{empty}&format=arrow").content).read_all().num_rows == 0


def test_numbers_as_text_lose_nothing(client: Client) -> None:
    texts = rows(client, f"{URL}&numbers=string")
    assert all(isinstance(row["close"], str) for row in texts)
    assert [float(row["close"]) for row in texts] == [row["close"] for row in rows(client)]
    assert [str(Decimal(row["close"])) for row in texts] == [repr(row["close"]) for row in rows(client)]
    assert all(isinstance(row["trade_count"], int) for row in texts)


@pytest.mark.parametrize("limit", [20, 200])
@pytest.mark.parametrize(("coding", "decode"), [("gzip", gzip.decompress), ("zstd", None)])
def test_codings(client: Client, coding: str, decode: Any, limit: int) -> None:
    url = f"/api/hub/ohlc?symbol=BTCUSDT,ETHUSDT&limit={limit}"
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", url, headers={"Accept-Encoding": coding}) as coded:
        assert coded.headers["content-encoding"] == coding
        raw = b"".join(coded.iter_raw())
    assert int(coded.headers["content-length"]) == len(raw) < len(plain.content)
    decoded = decode(raw) if decode else zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    assert decoded == plain.content
    assert coded.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("zstd;q=0.2, gzip;q=0.9", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd; q=0", None),
        ("br", None),
    ],
)
def test_codings_are_used_as_the_caller_likes_them(client: Client, accepted: str, coding: str | None) -> None:
    answer = client.get(URL, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("text/csv;q=0, text/*", None),
        ("application/json; q=0, */*;q=0.5", "application/vnd.datahub.columns+json"),
        ("text/csv;q=0", None),
    ],
)
def test_formats_are_chosen_as_the_caller_likes_them(client: Client, accept: str, media_type: str | None) -> None:
    answer = client.get(URL, headers={"Accept": accept})
    if media_type is None:
        assert answer.status_code == 406
    else:
        assert answer.headers["content-type"].partition(";")[0] == media_type


def test_nothing_acceptable_is_406(client: Client) -> None:
    answer = client.get(URL, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("name", ["csv", "json"])
def test_the_next_page_comes_in_the_format_of_the_one_before_however_each_was_asked_for(
    client: Client, name: str
) -> None:
    url, other = URL.replace("limit=20", "limit=9"), MEDIA_TYPES["ndjson"]
    by_accept = client.get(url, headers={"Accept": MEDIA_TYPES[name]})
    by_name = client.get(f"{url}&format={name}", headers={"Accept": other})
    assert by_name.headers["etag"] == by_accept.headers["etag"], "one answer, that both get"
    following = client.get(by_name.links["next"]["url"], headers={"Accept": other})
    assert following.headers["content-type"].startswith(MEDIA_TYPES[name])


def test_lists_of_texts_are_joined_in_csv_and_a_bar_within_one_is_told_apart() -> None:
    lists = {"texts": [["x", "y|z"], [], None, ["\\"]], "counts": [[1], [2, 3], None, []]}
    frame = pl.DataFrame(lists, schema={"texts": pl.List(pl.String), "counts": pl.List(pl.Int64)})
    text = b"".join(encode_csv(frame)).decode()
    assert text.splitlines() == ["texts,counts", r"x|y\|z,[1]", '"","[2,3]"', ",", r"\\,[]"]
