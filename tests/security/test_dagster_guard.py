"""Pages of other origins cannot drive or read Dagster through a browser; its own UI works as before."""

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.security.dagster_ui import FETCH, IMAGE, JSON, LINKED, SCRIPT, TYPED, UPGRADE, DagsterUi, limit, sent

EVIL = "http://evil.example"
LARGEST_BODY = 8 * 1024 * 1024


def by_url(key: str) -> str:
    return f"/graphql?query={quote(limit(key))}"


FOREIGN_FETCH = FETCH | {"sec-fetch-site": "cross-site", "origin": EVIL}
GETS = {
    "image": (403, IMAGE),
    "image, older browser": (405, {"accept": "image/*"}),
    "image of the API's page": (403, IMAGE | {"sec-fetch-site": "same-site"}),
    "script": (403, FETCH | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}),
    "frame": (403, LINKED | {"sec-fetch-dest": "iframe"}),
    "link": (403, LINKED),
    "typed": (405, TYPED),
    "own page": (405, FETCH),
    "program": (405, {}),
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", GETS)
def test_no_mutation_by_get(ui: DagsterUi, name: str, method: str) -> None:
    status, headers = GETS[name]
    key = f"get-{method}-{name}"
    assert ui.client.request(method, by_url(key), headers=headers).status_code == status
    assert key not in ui.limits()


POSTS: dict[str, tuple[int, dict[str, str]]] = {
    "text of another origin": (403, {"content-type": "text/plain", "origin": EVIL}),
    "text": (415, {"content-type": "text/plain"}),
    "text that Dagster takes for JSON": (415, {"content-type": "text/plain; application/json"}),
    "GraphQL": (415, {"content-type": "application/graphql"}),
    "form": (415, {"content-type": "application/x-www-form-urlencoded"}),
    "multipart": (415, {"content-type": "multipart/form-data; boundary=x"}),
    "no type": (415, {}),
    "JSON of another origin": (403, JSON | {"origin": EVIL}),
    "JSON of another port": (403, JSON | {"origin": "http://127.0.0.1:7860"}),
    "JSON of no origin": (403, JSON | {"origin": "null"}),
    "JSON of a scheme without hosts": (403, JSON | {"origin": "file://"}),
    "JSON by fetch": (403, JSON | FOREIGN_FETCH),
    "JSON by fetch of the API's page": (403, JSON | FOREIGN_FETCH | {"sec-fetch-site": "same-site"}),
    "JSON by a form's navigation": (403, JSON | LINKED | {"origin": EVIL}),
    "JSON from nowhere": (403, JSON | TYPED),
    "rebound name": (421, JSON | FETCH | {"host": "evil.example:3000", "origin": "http://evil.example:3000"}),
    "rebound name, older browser": (421, JSON | {"host": "evil.example"}),
}


@pytest.mark.parametrize("name", POSTS)
def test_no_mutation_by_another_sites_post(ui: DagsterUi, name: str) -> None:
    status, headers = POSTS[name]
    key = f"post-{name}"
    content = limit(key) if "graphql" in headers.get("content-type", "") else json.dumps({"query": limit(key)})
    answer = ui.client.post(by_url(key), content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert not [header for header in answer.headers if header.startswith("access-control-")]
    assert key not in ui.limits()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_and_preflights_are_refused(ui: DagsterUi, method: str) -> None:
    asked = {"origin": EVIL, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    answer = ui.client.request(method, "/graphql", headers=asked)
    assert answer.status_code == 405
    assert not [header for header in answer.headers if header.startswith("access-control-")]


@pytest.mark.parametrize(
    "headers",
    [{"origin": EVIL}, IMAGE, FOREIGN_FETCH, {"content-type": "text/plain"}, {"host": "evil.example"}],
)
@pytest.mark.parametrize("kind", ["materialization", "observation", "check"])
def test_no_reports_of_assets_by_another_site(ui: DagsterUi, kind: str, headers: dict[str, str]) -> None:
    path = f"/report_asset_{kind}/forged?check_name=good&passed=true"
    assert ui.client.post(path, headers=headers).status_code in {403, 415, 421}
    assert "forged" not in ui.assets()


def test_a_program_may_report_assets(ui: DagsterUi) -> None:
    for headers in ({}, JSON):
        content = "{}" if headers else None
        name = f"told-{len(headers)}"
        answer = ui.client.post(f"/report_asset_materialization/{name}", content=content, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {})
        assert name in ui.assets()


@pytest.mark.parametrize(
    "path", ["/", "/server_info", "/favicon.svg", "/logs/x/y.out", "/download_debug/x", "/notebook"]
)
@pytest.mark.parametrize(
    "headers",
    [
        IMAGE,
        FOREIGN_FETCH,
        LINKED | {"sec-fetch-dest": "iframe"},
        LINKED | {"sec-fetch-dest": "object"},
        {"origin": EVIL},
    ],
)
def test_other_sites_read_nothing(ui: DagsterUi, path: str, headers: dict[str, str]) -> None:
    answer = ui.client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")


def test_a_link_on_another_site_may_lead_to_the_ui(ui: DagsterUi) -> None:
    assert ui.client.get("/asset-groups", headers=LINKED).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "a@localhost"]
)
def test_foreign_hosts_get_no_answer(ui: DagsterUi, host: str) -> None:
    answer = ui.client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "DATAHUB_DAGSTER_HOST" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1", "[::1]:3000"])
def test_our_hosts_get_one(ui: DagsterUi, host: str) -> None:
    assert ui.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:7860"},
        {"origin": "http://localhost"},
        {"host": "evil.example:3000", "origin": "http://evil.example:3000"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_no_websocket_for_another_site(ui: DagsterUi, headers: dict[str, str]) -> None:
    assert ui.handshake(**headers) == 403


def test_a_websocket_for_our_pages_and_for_programs(ui: DagsterUi) -> None:
    assert ui.handshake(origin=ui.origin) == 101
    assert ui.handshake(origin="http://localhost:3000", host="localhost:3000") == 101
    assert ui.handshake() == 101


@pytest.mark.parametrize("path", ["/", "/graphql", "/server_info", "/favicon.svg", "/logs/x/y.out"])
def test_answers_cannot_be_framed_sniffed_or_embedded(ui: DagsterUi, path: str) -> None:
    headers = ui.client.get(path, headers=TYPED).headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert "access-control-allow-origin" not in headers


def test_refusals_have_these_headers_too(ui: DagsterUi) -> None:
    headers = ui.client.get("/", headers={"host": "evil.example"}).headers
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("SAMEORIGIN", "nosniff")


def test_the_page_and_what_it_loads(ui: DagsterUi) -> None:
    page = ui.client.get("/", headers=TYPED)
    assert page.status_code == 200
    nonce = re.search(r"'nonce-(\w+)'", page.headers["content-security-policy"])
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in page.text
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', page.text)
    assert len(scripts) > 3
    for path in scripts:
        answer = ui.client.get(path, headers=SCRIPT)
        assert (answer.status_code, answer.headers["content-type"].split("/")[-1][:10]) == (200, "javascript")


def test_the_uis_queries_and_mutations(ui: DagsterUi) -> None:
    assert ui.graphql("{ version }") == {"version": "1.13.27"}
    ui.graphql(limit("own"))
    assert "own" in ui.limits()


def test_a_browser_without_fetch_metadata_and_a_program_may_do_the_same(ui: DagsterUi) -> None:
    for name, headers in {"older": {"origin": ui.origin}, "program": {}}.items():
        ui.client.post("/graphql?op=Limit", json={"query": limit(name)}, headers=headers).raise_for_status()
        assert name in ui.limits()


def test_a_proxy_that_ends_tls_may_stand_before_it(ui: DagsterUi) -> None:
    for host, origin in [("localhost", "https://localhost"), ("localhost:443", "https://localhost")]:
        headers = {"host": host, "origin": origin}
        answer = ui.client.post("/graphql", json={"query": "{ version }"}, headers=headers)
        assert answer.json() == {"data": {"version": "1.13.27"}}


def test_the_page_to_try_queries(ui: DagsterUi) -> None:
    for headers in (TYPED, FETCH | TYPED | {"sec-fetch-site": "same-origin"}):
        page = ui.client.get("/graphql", headers=headers)
        assert page.status_code == 200
        assert "GraphiQL" in page.text
    assert ui.client.get("/graphql", headers=LINKED).status_code == 403


def test_the_uis_subscription(ui: DagsterUi) -> None:
    with subscription_socket(ui) as websocket:
        assert ask(websocket, {"type": "connection_init"}) == {"type": "connection_ack"}
        query = 'subscription { pipelineRunLogs(runId: "none") { __typename } }'
        answer = ask(websocket, {"type": "start", "id": "1", "payload": {"query": query}})
        assert answer["payload"]["data"]["pipelineRunLogs"]["__typename"] == "PipelineRunLogsSubscriptionFailure"


def subscription_socket(ui: DagsterUi) -> Any:
    protocol, origin = Subprotocol("graphql-ws"), Origin(ui.origin)
    return connect(f"ws://{ui.host}/graphql", origin=origin, subprotocols=[protocol], proxy=None)


def ask(websocket: Any, message: dict[str, Any]) -> Any:
    websocket.send(json.dumps(message))
    return json.loads(websocket.recv(timeout=60))


def test_a_body_is_bounded(ui: DagsterUi) -> None:
    announced = ui.client.post("/graphql", content=b" " * (LARGEST_BODY + 1), headers=JSON)
    assert (announced.status_code, announced.json()["code"]) == (413, "request_too_large")
    pieces = (b" " * 65_536 for _ in range(LARGEST_BODY // 65_536 + 1))
    counted = ui.client.post("/graphql", content=pieces, headers=JSON)
    assert (counted.status_code, counted.json()["code"]) == (413, "request_too_large")
    fits = json.dumps({"query": "{ version }"}).encode().ljust(LARGEST_BODY)
    assert ui.client.post("/graphql", content=fits, headers=JSON).status_code == 200


def test_connections_are_limited_as_those_of_the_other_servers(ui: DagsterUi) -> None:
    with socket.create_connection(("127.0.0.1", ui.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ".ljust(70_000, b"x"))
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_it_stops_with_open_websockets(tmp_path: Path) -> None:
    with (
        DagsterUi(tmp_path / "home") as ui,
        subscription_socket(ui) as websocket,
    ):
        assert ask(websocket, {"type": "connection_init"}) == {"type": "connection_ack"}
        query = "subscription { locationStateChangeEvents { event { message } } }"
        websocket.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
        assert ask(websocket, {"type": "connection_init"}) == {"type": "connection_ack"}
        assert ui.stop() < 15
        assert "ERROR" not in ui.log.read_text()


@pytest.mark.parametrize("name", ["content-type", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"])
def test_other_headers_that_decide_come_once_too(ui: DagsterUi, name: str) -> None:
    answer = sent(ui, (name, "same-origin"), (name, "cross-site"), method="POST")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("sec-fetch-site: same-origin", "x-other: 1", b"101"),
        ("sec-fetch-site: same-origin", "sec-fetch-site: cross-site", b"403"),
        ("authorization: Bearer a", "authorization: Bearer b", b"403"),
    ],
)
def test_no_websocket_for_two_values(ui: DagsterUi, first: str, second: str, status: bytes) -> None:
    lines = [f"{name}: {value}" for name, value in {"host": ui.host, **UPGRADE, "origin": ui.origin}.items()]
    with socket.create_connection(("127.0.0.1", ui.port), timeout=60) as connection:
        connection.sendall("\r\n".join(["GET /graphql HTTP/1.1", *lines, first, second, "", ""]).encode())
        assert connection.recv(1000).split()[1] == status
