"""Answers that people keep as files: their names, CSV for spreadsheets, other delimiters, and parts of binary ones."""

import csv
import io
from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pytest

from api.encoders import text
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import Workers

ROWS = "/api/hub/ohlc?symbol=BTCUSDT&limit=50"
ODD = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "-", "plain", "a=b", "5", "'quoted", "ünï", None]


def test_each_has_a_name(client: Client) -> None:
    sha = client.get(ROWS).headers["x-revision"]
    for form, suffix in (("csv", "csv"), ("parquet", "parquet"), ("arrow", "arrows")):
        for _ in range(2):
            told = client.get(f"{ROWS}&format={form}").headers["content-disposition"]
            assert told == f'attachment; filename="ohlc-{sha[:8]}.{suffix}"'
        sql = client.get(f"/api/hub/sql?format={form}&q=SELECT+1+AS+a")
        assert sql.headers["content-disposition"] == f'attachment; filename="sql.{suffix}"'
    for form in ("json", "columns", "ndjson"):
        assert "content-disposition" not in client.get(f"{ROWS}&format={form}").headers


def test_plain_csv_is_as_it_was(client: Client) -> None:
    plain = client.get(f"{ROWS}&format=csv")
    assert plain.content == client.get(f"{ROWS}&format=csv&delimiter=comma&spreadsheet=0").content
    assert plain.content.startswith(b"symbol,interval,timestamp")


def test_for_a_spreadsheet_it_says_its_encoding_and_is_csv_by_itself(client: Client) -> None:
    sheet, plain = client.get(f"{ROWS}&spreadsheet=1"), client.get(f"{ROWS}&format=csv")
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.content == b"\xef\xbb\xbf" + plain.content
    assert sheet.headers["etag"] != plain.headers["etag"]
    assert sheet.content == client.get(f"{ROWS}&spreadsheet=true", headers={"Accept": "*/*"}).content


def test_no_text_is_run_as_a_formula() -> None:
    frame = pl.DataFrame({"=title": ODD, "number": [-1.5] * len(ODD), "tags": [["=a", "b"]] * len(ODD)})
    cells = list(csv.reader(io.StringIO(b"".join(text.csv(frame, for_spreadsheets=True)).decode("utf-8-sig"))))
    assert cells[0] == ["'=title", "number", "tags"]
    for sent, (title, number, tags) in zip(ODD, cells[1:], strict=True):
        is_formula = sent is not None and sent[:1] in {"=", "+", "-", "@", "\t", "\r"}
        assert title == (f"'{sent}" if is_formula else sent or "")
        assert (number, tags) == ("-1.5", "'=a|b")
    plain = b"".join(text.csv(frame)).decode()
    assert "'=" not in plain


def test_sql_too(client: Client) -> None:
    asked = {"q": "SELECT '=cmd' AS a, 1 AS b", "spreadsheet": "1", "delimiter": "semicolon"}
    assert client.get("/api/hub/sql", params=asked).content == b"\xef\xbb\xbfa;b\n'=cmd;1\n"
    posted = client.post("/api/hub/sql?spreadsheet=1&delimiter=;", json={"sql": asked["q"]})
    assert posted.content == b"\xef\xbb\xbfa;b\n'=cmd;1\n"


@pytest.mark.parametrize(
    ("named", "delimiter"), [("semicolon", ";"), (";", ";"), ("tab", "\t"), ("\t", "\t"), ("|", "|"), (",", ",")]
)
def test_cells_are_parted_by_what_is_asked_for(client: Client, named: str, delimiter: str) -> None:
    asked = {"symbol": "BTCUSDT", "limit": "3", "format": "csv"}
    found = client.get("/api/hub/ohlc", params={**asked, "delimiter": named}).text
    plain = client.get("/api/hub/ohlc", params=asked).text
    assert list(csv.reader(found.splitlines(), delimiter=delimiter)) == list(csv.reader(plain.splitlines()))


@pytest.mark.parametrize(
    "asked",
    [
        {"format": "csv", "delimiter": "x"}, {"format": "csv", "delimiter": ""}, {"format": "csv", "delimiter": ";;"},
        {"format": "json", "delimiter": ";"}, {"format": "parquet", "spreadsheet": "1"}, {"spreadsheet": "maybe"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(client: Client, asked: dict[str, str]) -> None:
    problem = client.get("/api/hub/market", params=asked)
    assert (problem.status_code, problem.json()["code"]) == (400, "invalid_parameter")
    assert problem.json()["parameter"] in {"delimiter", "spreadsheet"}


@pytest.fixture(scope="module")
def large(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(hub, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", slice(0, 4)), ("bytes=-8", slice(-8, None)), ("bytes=10-", slice(10, None)),
        ("bytes=5-5", slice(5, 6)), ("bytes=4-999999999", slice(4, None)), ("bytes=-999999999", slice(None)),
    ],
)  # fmt: skip
def test_a_part_is_a_part(client: Client, form: str, asked: str, expected: slice) -> None:
    url, plain = f"{ROWS}&format={form}", {"Accept-Encoding": "identity"}
    whole = client.get(url, headers=plain)
    assert whole.headers["accept-ranges"] == "bytes"
    for _ in range(2):
        part = client.get(url, headers={**plain, "Range": asked})
        first = range(len(whole.content))[expected].start
        assert (part.status_code, part.content) == (206, whole.content[expected])
        assert part.headers["content-range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(whole.content)}"
        assert part.headers["content-length"] == str(len(part.content))
        assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=3-1x", "0-3"])
def test_a_range_that_is_not_understood_is_the_whole(client: Client, asked: str) -> None:
    url, plain = f"{ROWS}&format=parquet", {"Accept-Encoding": "identity"}
    answer = client.get(url, headers={**plain, "Range": asked})
    assert (answer.status_code, answer.content) == (200, client.get(url, headers=plain).content)


@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=-0", "bytes=9-3"])
def test_a_range_that_is_not_there_is_told(client: Client, asked: str) -> None:
    url, plain = f"{ROWS}&format=parquet", {"Accept-Encoding": "identity"}
    size = len(client.get(url, headers=plain).content)
    answer = client.get(url, headers={**plain, "Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_of_another_version_it_is_the_whole(client: Client) -> None:
    url, plain = f"{ROWS}&format=parquet", {"Accept-Encoding": "identity", "Range": "bytes=0-3"}
    etag = client.get(url, headers=plain).headers["etag"]
    assert client.get(url, headers={**plain, "If-Range": etag}).status_code == 206
    for other in ('"other"', f"W/{etag}", "Sat, 28 Nov 2026 00:00:00 GMT"):
        assert client.get(url, headers={**plain, "If-Range": other}).status_code == 200
    assert client.get(url, headers={**plain, "If-None-Match": etag}).status_code == 304


def test_texts_and_errors_have_no_parts(client: Client) -> None:
    for url in (ROWS, f"{ROWS}&format=csv", "/api/hub/status", "/api/hub/market?limt=1"):
        answer = client.get(url, headers={"Range": "bytes=0-3"})
        assert answer.status_code in {200, 400}
        assert len(answer.content) > 4
    zipped = client.get(f"{ROWS}&format=arrow", headers={"Range": "bytes=0-3", "Accept-Encoding": "gzip"})
    assert zipped.status_code == 200
    assert pa.ipc.open_stream(zipped.content).read_all().num_rows == 50


def test_head_says_that_there_are_parts(client: Client) -> None:
    answer = client.head(f"{ROWS}&format=parquet", headers={"Accept-Encoding": "identity", "Range": "bytes=0-3"})
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "bytes")
