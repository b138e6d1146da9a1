"""HTTP done right: formats, codings, ETags, conditions, HEAD, CORS, rate limits, request ids, errors."""

import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pyarrow as pa
import pytest
import zstandard

from api.problems import catalogue
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.workers import Workers

URL = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=20&columns=timestamp,symbol,close,trade_count,closed"
MEDIA_TYPES = {
    "json": "application/json",
    "columns": "application/vnd.datahub.columns+json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}


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


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_binary_formats_keep_types(client: Client, name: str) -> None:
    body = client.get(f"{URL}&format={name}").content
    table = pa.ipc.open_stream(body).read_all() if name == "arrow" else pl.read_parquet(body).to_arrow()
    assert table.schema.field("timestamp").type == pa.timestamp("ms", tz="UTC")
    assert table.schema.field("trade_count").type == pa.int64()
    if name == "arrow":
        assert table.schema.field("symbol").type == pa.string()
    assert table.column("close").to_pylist() == [row["close"] for row in rows(client)]


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


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "/api/hub/market",
        "/api/hub/market?format=csv",
        "/api/hub/dataset-info",
        "/api/hub/coverage",
        "/api/hub/diff?dataset=ohlc&from=main",
    ],
)
def test_an_etag_that_holds_is_304(client: Client, url: str) -> None:
    first = client.get(url)
    for _ in range(2):  # the long way, and the hot one
        again = client.get(url, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert again.status_code == 304
        assert again.content == b""
        for name in ("etag", "cache-control", "vary", "x-revision"):
            assert again.headers[name] == first.headers[name]
    other = client.get(url, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
    assert client.get(url, headers={"If-None-Match": f"W/{first.headers['etag']}"}).status_code == 304
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304


def test_queries_that_mean_the_same_share_an_etag(client: Client) -> None:
    one = client.get("/api/hub/ohlc?symbol=BTCUSDT,ETHUSDT&interval=1h&limit=500&format=json")
    two = client.get("/api/hub/ohlc?limit=500&symbol=ethusdt&symbol=btcusdt", headers={"Accept": "application/json"})
    assert one.headers["etag"] == two.headers["etag"]
    assert one.content == two.content
    three = client.get("/api/hub/ohlc?limit=499&symbol=ethusdt&symbol=btcusdt")
    assert three.headers["etag"] != one.headers["etag"]


def test_only_pinned_answers_are_immutable(client: Client) -> None:
    first = client.get(URL)
    assert first.headers["cache-control"] == "private, no-cache"
    pinned = f"{URL}&revision={first.headers['x-revision']}"
    for _ in range(2):
        assert client.get(pinned).headers["cache-control"] == "private, max-age=31536000, immutable"
        assert client.get(URL).headers["cache-control"] == "private, no-cache"
    assert client.get(pinned).headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("url", [URL, "/api/hub/status", "/docs", "/api/hub/market?nope=1"])
def test_head_is_get_without_the_body(client: Client, url: str) -> None:
    for _ in range(2):
        head, full = client.head(url), client.get(url)
        assert head.status_code == full.status_code
        assert head.content == b""
        assert head.headers["content-length"] == full.headers["content-length"]
        assert head.headers.get("etag") == full.headers.get("etag")


def test_any_page_may_read_the_answers(client: Client) -> None:
    answer = client.get(URL, headers={"Origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    preflight = client.options(
        URL,
        headers={
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers.get_list("access-control-allow-origin") == ["*"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "GET" in preflight.headers["access-control-allow-methods"]


def test_request_ids_and_timings(client: Client) -> None:
    one, two = client.get(URL), client.get(URL)
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    assert client.get(URL, headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get(URL, headers={"X-Request-Id": "bad id\t"}).headers["x-request-id"] != "bad id\t"
    assert "total;dur=" in one.headers["server-timing"]
    problem = client.get("/api/hub/ohlc?symbol=NOPE", headers={"X-Request-Id": "mine-2"}).json()
    assert problem["request_id"] == "mine-2"


def test_the_rate_limit_is_per_token(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path, DATAHUB_RATE_LIMIT_PER_MIN="3") as client:
        left = [client.get(URL).headers["ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = client.get(URL)
        assert refused.status_code == 429
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit-limit"] == "3"
        assert client.get("/api/hub/status").status_code == 200
        other = client.get(URL, headers={"Authorization": f"Bearer {hub.add_user('reader')}"})
        assert (other.status_code, other.headers["ratelimit-remaining"]) == (200, "2")


BAD_REQUESTS = [
    ("/api/hub/market?symbls=BTC", 400, "unknown_parameter", "symbls", "symbols"),
    ("/api/hub/ohlc?symbol=BTCUSDT&intervall=1h", 400, "unknown_parameter", "intervall", "interval"),
    ("/api/hub/status?x=1", 400, "unknown_parameter", "x", ""),
    ("/api/hub/market?limit=0", 400, "invalid_parameter", "limit", "1 to 50000"),
    ("/api/hub/market?limit=50001", 400, "invalid_parameter", "50001", "1 to 50000"),
    ("/api/hub/market?limit=many", 400, "invalid_parameter", "limit", "int"),
    ("/api/hub/market?limit=-1", 400, "invalid_parameter", "-1", "1 to 50000"),
    ("/api/hub/market?limit=99999999999999999999999", 400, "invalid_parameter", "limit", ""),
    ("/api/hub/market?max_age=0", 400, "invalid_parameter", "max_age", "1 to"),
    ("/api/hub/market?symbols=NOPE", 404, "unknown_symbol", "NOPE", "BTC"),
    ("/api/hub/market?coin_ids=bitcoim", 404, "unknown_symbol", "bitcoim", "bitcoin"),
    ("/api/hub/market?symbols=%00", 404, "unknown_symbol", "symbols", "BTC"),
    ("/api/hub/ohlc", 400, "invalid_parameter", "symbol", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=,", 400, "invalid_parameter", "symbol", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSD", 404, "unknown_symbol", "BTCUSD", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSDT,NOPE", 404, "unknown_symbol", "NOPE", "BTCUSDT"),
    ("/api/hub/ohlc?symbol=BTCUSDT&interval=2h", 404, "unknown_interval", "2h", "1d, 1h, 4h"),
    ("/api/hub/ohlc?symbol=BTCUSDT&interval=../../x", 404, "unknown_interval", "../../x", "1h"),
    ("/api/hub/ohlc?symbol=BTCUSDT&order=up", 400, "invalid_parameter", "up", "asc, desc"),
    ("/api/hub/ohlc?symbol=BTCUSDT&columns=price", 400, "invalid_parameter", "price", "close_time"),
    ("/api/hub/ohlc?symbol=BTCUSDT&closed_only=perhaps", 400, "invalid_parameter", "closed_only", "bool"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=yesterday", 400, "invalid_parameter", "yesterday", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=2026-13-01", 400, "invalid_parameter", "2026-13-01", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=999999999999999", 400, "invalid_parameter", "start", "ISO 8601"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=0001-01-01T00:00:00%2B14:00", 400, "invalid_parameter", "start", "ISO"),
    ("/api/hub/ohlc?symbol=BTCUSDT&start=2026-02-01&end=2026-01-01", 400, "invalid_parameter", "end", "after start"),
    ("/api/hub/ohlc?symbol=BTCUSDT&format=xml", 400, "invalid_parameter", "xml", "ndjson"),
    ("/api/hub/ohlc?symbol=BTCUSDT&numbers=roman", 400, "invalid_parameter", "roman", "string"),
    ("/api/hub/ohlc?symbol=BTCUSDT&cursor=AAAA", 400, "invalid_cursor", "cursor", "Link"),
    ("/api/hub/ohlc?symbol=BTCUSDT&cursor=%F0%9F%92%A9", 400, "invalid_cursor", "cursor", "Link"),
    ("/api/hub/ohlc?symbol=BTCUSDT&revision=nope", 404, "revision_unknown", "nope", "branch"),
    ("/api/hub/ohlc?symbol=BTCUSDT&revision=" + "0" * 40, 404, "revision_unknown", "0" * 40, "commit"),
    ("/api/hub/ohlc?symbol=BTCUSDT&as_of=2001-01-01", 404, "revision_unknown", "ohlc", "/api/hub/revisions"),
    ("/api/hub/ohlc?symbol=BTCUSDT&as_of=2030-01-01&revision=main", 400, "invalid_parameter", "as_of", "not both"),
    ("/api/hub/dataset-info?dataset=nope", 404, "unknown_dataset", "nope", "market, ohlc"),
    ("/api/hub/revisions?dataset=nope", 404, "unknown_dataset", "nope", "market, ohlc"),
    ("/api/hub/revisions", 400, "invalid_parameter", "dataset", ""),
    ("/api/hub/revisions?dataset=ohlc&limit=1001", 400, "invalid_parameter", "1001", "1 to 1000"),
    ("/api/hub/diff?dataset=ohlc&from=nope", 404, "revision_unknown", "nope", "branch"),
    ("/api/hub/coverage?symbol=NOPE", 404, "unknown_symbol", "NOPE", "BTCUSDT"),
    ("/api/hub/coverage?interval=3d", 404, "unknown_interval", "3d", "1d, 1h, 4h"),
    ("/api/hub/nothing", 404, "not_found", "", ""),
]


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=lambda case: case[0])
def test_a_bad_request_is_named_and_what_is_valid_is_listed(
    client: Client, case: tuple[str, int, str, str, str]
) -> None:
    url, status, code, names, lists = case
    answer = client.get(url)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"/errors#{code}"
    assert names in problem["detail"]
    assert lists in problem["detail"]
    assert answer.headers["cache-control"] == "no-store"


def test_nothing_acceptable_is_406(client: Client) -> None:
    answer = client.get(URL, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_a_wrong_method_is_405(client: Client) -> None:
    answer = client.post("/api/hub/market")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_options_say_what_may_be_done_whatever_the_query_is(client: Client) -> None:
    answer = client.options(URL)
    assert answer.status_code == 204
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_every_error_is_in_the_catalogue(client: Client) -> None:
    page = client.get("/errors").text
    for kind in catalogue():
        assert f'id="{kind.code}"' in page


def test_the_documentation_needs_no_other_host(client: Client) -> None:
    for page in ("/docs", "/scalar"):
        html = client.get(page).text
        assert "http://" not in html
        assert "https://" not in html
        assert "//cdn" not in html
        for source in (part.split('"')[0] for part in html.split('src="')[1:]):
            asset = client.get(source)
            assert asset.status_code == 200
            assert len(asset.content) > 100_000
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"


def test_the_schema_has_the_bearer_scheme_and_every_parameter(client: Client) -> None:
    schema = client.get("/schema/openapi.json").json()
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    ohlc = schema["paths"]["/api/hub/ohlc"]["get"]
    assert ohlc["security"] == [{"bearer": []}]
    named = {parameter["name"] for parameter in ohlc["parameters"]}
    assert named == {
        "symbol", "interval", "limit", "start", "end", "order", "columns", "closed_only", "cursor",
        "revision", "as_of", "format", "numbers",
    }  # fmt: skip
    assert all(parameter.get("description") for parameter in ohlc["parameters"])
    assert set(ohlc["responses"]) == {"200", "304", "400", "401", "403", "404", "406", "429", "502", "503"}
    assert set(ohlc["responses"]["200"]["content"]) == set(MEDIA_TYPES.values())


def test_metrics_count_requests(client: Client) -> None:
    client.get(URL)
    client.get(URL)
    text = client.get("/metrics").text
    assert 'datahub_http_requests_total{path="/api/hub/ohlc",status="200"}' in text
    assert 'datahub_rows{dataset="ohlc"} 600.0' in text
    assert 'datahub_answer_cache_total{outcome="hot"}' in text
    assert httpx.Headers(client.get("/metrics").headers)["content-type"].startswith("text/plain; version=0.0.4")
