"""What requests may bring: bounded headers, URLs and bodies; and what answers tell browsers."""

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
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
from api.sql.sandbox.worker.admission import Unparsable, admit
from datahub_assets.datasets.candles.spec import OHLC
from datahub_system.net.bodies import ENDED_EARLY, BodyLimit
from localhub.testing import HubServer
from tests.api.conftest import Client, until
from tests.api.process import free_port, process, serving_process, wait_until_serving
from tests.api.workers import Workers

PAGES = ("/docs", "/scalar", "/errors")
CHROMIUM = shutil.which("chromium")
WAIT_S = 20.0


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as address:
        yield address


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
    assert not re.search(r"<style|style=|<script(?![^>]*src=\"/docs/assets/)| on\w+=", answer.text)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', answer.text):
        assert client.get(asset).status_code == 200


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

    with pytest.raises(Unparsable):  # with a backtracking pattern this would not end
        admit("/**/" * 20_000 + "SELEC", tables=(), serialize=serialize)


# Bodies.


class Connection:
    """The two channels of a request whose body comes in these pieces; None is a pause without end."""

    def __init__(self, *pieces: bytes | None, then: str = "whole") -> None:
        self._pieces = list(pieces)
        self._then = then
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self._pieces:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        if piece is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._then != "whole"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


async def body_of(receive: Any) -> AsyncIterator[bytes]:
    """As a framework reads it."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def limited(connection: Connection, *headers: tuple[bytes, bytes], **limits: Any) -> dict[str, Any]:
    """What an application that echoes its body's length answers behind the limit; the scope afterwards."""
    scope: dict[str, Any] = {"type": "http", "path": "/x", "http_version": "1.1", "headers": list(headers)}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size = sum([len(piece) async for piece in body_of(receive)])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % size)]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def run() -> None:
        layer = BodyLimit(app, **({"max_bytes": 10, "seconds": WAIT_S} | limits))
        await asyncio.wait_for(layer(scope, connection.receive, connection.send), WAIT_S)

    asyncio.run(run())
    return scope


CHUNKED = (b"transfer-encoding", b"chunked")


def test_a_body_within_bounds_passes() -> None:
    connection = Connection(b"12345", b"67890")
    scope = limited(connection, CHUNKED)
    assert connection.status == 200
    assert connection.sent[0]["headers"] == [(b"x-size", b"10")]
    assert ENDED_EARLY not in scope


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        ([(b"content-length", b"11")], [b"12345678901"]),
        ([(b"content-length", b"9" * 400)], [None]),
        ([CHUNKED], [b"12345", b"678901"]),
        ([CHUNKED], [b"1"] * 11),
        ([(b"content-length", b"nonsense")], [b"12345678901"]),
    ],
)
def test_a_large_body_is_413(headers: list[tuple[bytes, bytes]], pieces: list[bytes | None]) -> None:
    connection = Connection(*pieces)
    assert limited(connection, *headers)[ENDED_EARLY]
    assert connection.status == 413
    assert (b"connection", b"close") in connection.sent[0]["headers"]
    assert [message["type"] for message in connection.sent] == ["http.response.start", "http.response.body"]


def test_a_body_that_drips_is_408() -> None:
    connection = Connection(b"1", b"2", None)
    limited(connection, CHUNKED, seconds=0.1)
    assert connection.status == 408


def test_what_came_earns_time() -> None:
    connection = Connection(b"12345", None)
    began_s = time.monotonic()
    limited(connection, CHUNKED, seconds=0.0, bytes_per_s=10.0)
    assert connection.status == 408
    assert time.monotonic() - began_s >= 0.4


def test_a_client_that_leaves_is_nobodys_error() -> None:
    connection = Connection(b"1", b"2", then="gone")
    assert limited(connection, CHUNKED)[ENDED_EARLY]
    assert connection.status is None


def test_the_limit_may_depend_on_the_request() -> None:
    connection = Connection(b"x" * 20)
    limited(connection, CHUNKED, max_bytes=lambda scope: 20 if scope["path"] == "/x" else 1)
    assert connection.status == 200


def test_an_error_of_the_application_is_its_own() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("of the application")

    connection = Connection(b"1")
    scope = {"type": "http", "path": "/", "headers": [CHUNKED]}
    with pytest.raises(LookupError):
        asyncio.run(BodyLimit(broken, max_bytes=1, seconds=1)(scope, connection.receive, connection.send))


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/api/hub/sql", "/api/hub/webhook"])
def test_the_api_refuses_large_bodies(hub: HubServer, url: str, path: str, *, chunked: bool) -> None:
    large = b"x" * (2 << 20)
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{url}{path}", content=iter([large]) if chunked else large, headers=headers)
    if path == "/api/hub/webhook" and chunked:
        assert answer.status_code == 403  # refused before its body is read
    else:
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_clients_that_hang_up_leave_nothing_in_the_log(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    port = free_port()
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    environ |= {"DATAHUB_WEBHOOK_SECRET": "s3cr3t", "DATAHUB_RATE_LIMIT_PER_MIN": "0"}
    head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {hub.token}\r\nX-Webhook-Secret: s3cr3t\r\n"
    head += "Content-Type: application/json\r\n"
    begun = [
        f"POST {path} {head}{how}\r\n\r\n{body}"
        for path in ("/api/hub/sql", "/api/hub/webhook")
        for how, body in (("Content-Length: 1000", '{"sql'), ("Transfer-Encoding: chunked", '5\r\n{"sql\r\n'))
    ]
    begun += [f"GET {path} {head}\r\n" for path in ("/api/hub/stream", "/api/hub/market", "/docs/assets/scalar.js")]
    with process(environ, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        wait_until_serving(url)
        for request in begun * 3:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(request.encode())
                time.sleep(0.05)  # so that the server has begun with it
        left = 'datahub_http_requests_total{path="/api/hub/webhook",status="499"} 6.0'
        until(lambda: left in httpx.get(f"{url}/metrics").text)
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=WAIT_S)
    assert started.returncode == 0
    assert "Traceback" not in said
    assert " ERROR " not in said
    assert " WARNING " not in said
