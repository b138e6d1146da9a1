"""What requests may bring: bounded headers and URLs; and what answers tell browsers."""

import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from litestar._kwargs.extractors import create_query_default_dict
from litestar._parsers import parse_query_string

from api.caching.response_cache import CachedAnswer, Repeatable, ResponseCache
from api.dropin.coingecko.errors import CoinGeckoRefusal
from api.dropin.coingecko.queries import Lookup, ask_prices
from api.http.errors import UnknownParameter, UnknownValue
from api.http.form import coding_accepted, format_accepted
from api.sql.sandbox.worker.admission import Invalid, admit
from datahub_assets.datasets.candles.spec import OHLC
from localhub.testing import HubServer
from tests.api.conftest import Client

PAGES = ("/docs", "/scalar", "/errors")
CHROMIUM = shutil.which("chromium")


# What answers tell browsers.


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((page, 200) for page in PAGES),
        ("/docs/assets/swagger-ui.js", 200),
        ("/schema/openapi.json", 200),
        ("/api/hub/market", 200),
        ("/api/hub/market?format=parquet", 200),
        ("/api/hub/sql?q=SELECT+1", 200),
        ("/api/hub/status", 200),
        ("/metrics", 200),
        ("/binance/api/v3/ping", 200),
        ("/api/hub/nothing", 404),
        ("/nothing", 404),
        ("/api/hub/market?limit=x", 400),
        ("/api/hub/market?" + "x" * 40_000, 414),
    ],
)
def test_no_answer_is_taken_for_what_it_is_not(client: Client, path: str, status: int) -> None:
    for method in ("GET", "GET", "HEAD"):  # the long way, and the hot one
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    etag = answer.headers.get("etag")
    if etag:
        unchanged = client.get(path, headers={"If-None-Match": etag})
        assert (unchanged.status_code, unchanged.headers["x-content-type-options"]) == (304, "nosniff")


def test_streams_and_preflights_too(url: str, hub: HubServer) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    with httpx.stream("GET", f"{url}/api/hub/stream", headers=token) as answer:
        assert answer.headers["x-content-type-options"] == "nosniff"
    asking = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    assert httpx.options(f"{url}/api/hub/market", headers=asking).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("page", PAGES)
def test_pages_run_nothing_but_the_servers_own_files(client: Client, page: str) -> None:
    answer = client.get(page)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["style-src"] == ("'self' 'unsafe-inline'" if page == "/scalar" else "'self'")
    assert {policy[name] for name in ("frame-ancestors", "base-uri", "form-action")} == {"'none'"}
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert not re.search(r"<style|style=|<script(?![^>]*src=\"docs/assets/)| on\w+=", answer.text)
    loaded = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', answer.text)
    assert loaded
    assert {client.get(f"/{asset}").status_code for asset in loaded} == {200}


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: on Debian and Ubuntu, apt install chromium")
@pytest.mark.parametrize(("page", "shown"), [("/docs", "opblock-summary-path"), ("/scalar", OHLC.title)])
def test_pages_work_under_their_policy(url: str, tmp_path: Path, page: str, shown: str) -> None:
    options: tuple[str, ...] = (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-component-update",
    )
    options += ("disable-background-networking", "disable-sync", f"user-data-dir={tmp_path}", "enable-logging=stderr")
    command = [str(CHROMIUM), *(f"--{option}" for option in (*options, "v=0", "virtual-time-budget=20000", "dump-dom"))]
    done = subprocess.run([*command, url + page], capture_output=True, text=True, timeout=150, check=True)
    assert shown in done.stdout
    assert "Content Security Policy" not in done.stderr


# Headers and URLs.


@pytest.mark.parametrize(
    ("headers", "parameter"),
    [
        ({"Accept": "a/b," * 50_000}, None),
        ({"Accept": "a/b," * 5_000}, "accept"),
        ({"If-None-Match": '"x",' * 5_000}, "if-none-match"),
        ({"Cookie": "x" * 17_000}, "cookie"),
        ({f"X-{number}": "x" * 1_000 for number in range(40)}, None),
        ({f"X-{number}": "x" for number in range(120)}, None),
        ({"x" * 40_000: "x"}, None),
    ],
)
@pytest.mark.parametrize("path", ["/api/hub/market", "/docs", "/binance/api/v3/ping", "/coingecko/api/v3/ping"])
def test_large_headers_are_refused(client: Client, path: str, headers: dict[str, str], parameter: str | None) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 431
    body = answer.json()
    if path.startswith("/binance"):
        assert body["code"] == -1101
    elif path.startswith("/coingecko"):
        assert body["status"]["error_code"] == 431
    else:
        assert (body["code"], body.get("parameter")) == ("headers_too_large", parameter)


@pytest.mark.parametrize(
    "path",
    [
        "/api/hub/" + "x" * 2_000,
        "/api/hub/sql?q=SELECT+" + "1%2B" * 10_000 + "1",
        "/api/hub/market?" + "symbols=A&" * 600,
        "/coingecko/api/v3/ping?" + "a&" * 600,
    ],
)
def test_long_urls_are_refused(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 414
    assert answer.json().get("code", "url_too_long") == "url_too_long"


def test_what_is_needed_fits(client: Client) -> None:
    names = ",".join(f"COIN{number:014}USDT" for number in range(500))
    answer = client.get(f"/api/hub/ohlc?symbol={names}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_symbol")
    assert client.get("/api/hub/market?" + "&".join(["symbols=BTC"] * 500)).status_code == 200
    assert client.get("/api/hub/sql", params={"q": "SELECT '" + "x" * 14_000 + "'"}).status_code == 200


def test_of_a_long_list_the_beginning_counts() -> None:
    assert format_accepted(b"text/csv," + b"a/b," * 4_000) == "csv"
    assert format_accepted(b"a/b," * 4_000 + b"text/csv") is None
    assert coding_accepted(b"gzip," + b"x," * 4_000) == "gzip"
    assert coding_accepted(b"x," * 4_000 + b"gzip") == ""


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (b"*/*;q=0.1, text/csv", "csv"),
        (b"text/csv;q=0.5, application/*;q=0.4", "csv"),
        (b"application/json;q=0.1, */*;q=0.9", "columns"),
        (b"TEXT/CSV", "csv"),
        (b"text/csv, application/x-ndjson", "csv"),
        (b"application/x-ndjson, text/csv", "ndjson"),
        (b"application/jsonl", "ndjson"),
        (b", ,", "json"),
        (b"image/*", None),
    ],
)
def test_the_format_that_is_liked_best(accept: bytes, name: str | None) -> None:
    assert format_accepted(accept) == name


def test_hot_answers_keep_no_header_and_no_long_query() -> None:
    cache = ResponseCache(1 << 20)
    cache.put(CachedAnswer(b'"1"', b"x", {"ETag": '"1"'}, "text/csv"))
    found = Repeatable(b'"1"', cast("Any", SimpleNamespace(serves=lambda *_, **__: True)), "a" * 40, True, "/x")
    for number in range(200):
        query = b"symbol=" + b"A," * 8_000 + b"%d" % number
        cache.remember(("/x", query, b"text/csv, image/%d" % number, b"gzip, x%d" % number, b""), found)
        cache.remember(("/x", b"", b"text/csv, image/%d" % number, b"gzip, x%d" % number, b""), found)
    assert len(cache._known) == 201, "headers that come to the same are the same"
    assert max(len(part) for key in cache._known for part in key if part) <= 256
    assert cache.repeated(("/x", b"symbol=" + b"A," * 8_000 + b"7", b"text/csv", b"gzip", b"")) is not None
    assert cache.repeated(("/x", b"symbol=" + b"A," * 8_000 + b"7", b"text/csv", b"zstd", b"")) is None


def test_a_long_link_counts_for_the_room_an_answer_takes() -> None:
    assert CachedAnswer(b'"1"', b"", {"Link": "x" * 10_000}, "text/csv").weight > 20_000


def test_large_queries_are_not_kept(client: Client) -> None:
    for number in range(5):
        names = "&".join(["symbols=BTC"] * 400)
        assert client.get(f"/api/hub/market?{names}&limit={number + 1}").status_code == 200
    assert parse_query_string.cache_info().currsize == 0
    assert create_query_default_dict.cache_info().currsize == 0


# What is computed from what a request brings.


def test_a_misspelt_name_is_compared_with_so_many_only(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    known = [f"{chr(97 + number % 26)}coin-{number}" for number in range(60_000)]

    def matches(_: str, names: list[str], **more: Any) -> list[str]:
        compared.append(len(names))
        return names[:1]

    monkeypatch.setattr("api.http.errors.difflib.get_close_matches", matches)
    error = UnknownValue.of("symbol", ["bcoinn" + "x" * 10_000], known=known, where="here")
    assert compared == [1000]
    assert len(str(error)) < 1_000
    assert len(error.fields["value"]) == 100


def test_a_refusal_does_not_repeat_all_of_a_long_request() -> None:
    assert len(str(UnknownParameter.of([f"p{number}" * 50 for number in range(500)], valid=["a"]))) < 3_000


def test_an_answer_has_no_field_for_each_of_thousands_of_currencies() -> None:
    for count, refused in ((100, False), (101, True)):
        currencies = ",".join(f"c{number}" for number in range(count))
        try:
            ask_prices(lookup=Lookup("coin_id", ("bitcoin",)), vs_currencies=currencies)
        except CoinGeckoRefusal:
            assert refused
        else:
            assert not refused


def test_a_revision_has_a_length(client: Client) -> None:
    answer = client.get("/api/hub/market?revision=" + "x" * 1_001)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def test_many_comments_take_no_longer_than_few() -> None:
    def serialize(_: str) -> str:
        return '{"error": true, "error_type": "parser", "error_message": "no", "position": "0"}'

    with pytest.raises(Invalid):  # with a backtracking pattern this would not end
        admit("/**/" * 20_000 + "SELEC", tables=(), serialize=serialize)
