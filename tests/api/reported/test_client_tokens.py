"""Clients that cannot set headers: tokens of this server's own, by HTTP Basic or in the URL, and nowhere repeated."""

import base64
import itertools
import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from datahub_system.files import client_tokens
from localhub.testing import HubServer
from tests.api.conftest import Client, serving
from tests.api.process import free_port, process, wait_until_serving
from tests.api.workers import Workers

MADE = "2026-01-01T00:00:00.000Z"
GUARDED = (
    "/api/hub/market?symbols=BTC",
    "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=3",
    "/api/hub/sql?q=SELECT%201",
    "/api/hub/dataset-info",
    "/api/hub/snippets",
    "/binance/api/v3/klines?symbol=BTCUSDT&interval=1h",
    "/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd",
)
OPEN = ("/api/hub/status", "/api/health", "/docs", "/docs/assets/page.css", "/schema/openapi.json", "/metrics")


@dataclass(frozen=True)
class Own:
    """The application and its client tokens: one for headers, one for URLs too."""

    client: Client
    path: Path
    plain: str
    url: str


@pytest.fixture(scope="module")
def own(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    home = tmp_path_factory.mktemp("home")
    path = home / "client-tokens.json"
    plain = client_tokens.add(path, "laptop", in_url=False, made=MADE)
    url = client_tokens.add(path, "sheet", in_url=True, made=MADE)
    with serving(hub, home) as client:
        del client.headers["Authorization"]
        yield Own(client, path, plain, url)


def with_token(path: str, token: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}token={token}"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the server logged; the tests' own client logs its URLs."""
    return [one.getMessage() for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]


@pytest.mark.parametrize("path", GUARDED)
def test_a_client_token_opens_what_wants_a_token(own: Own, path: str) -> None:
    assert own.client.get(path).status_code == 401
    by_header = own.client.get(path, headers=bearer(own.plain))
    assert by_header.status_code == 200, by_header.text
    for headers in (basic("anyone", own.plain), basic(own.plain, ""), basic(own.plain, "x"), basic("", own.url)):
        assert own.client.get(path, headers=headers).status_code == 200
    in_url = own.client.get(with_token(path, own.url))
    assert in_url.status_code == 200, in_url.text
    assert in_url.headers["cache-control"].startswith("private")
    assert in_url.headers["referrer-policy"] == "no-referrer"
    assert "referrer-policy" not in by_header.headers
    refused = own.client.get(with_token(path, own.plain))
    assert refused.status_code in {401, 403}
    assert "--url" in refused.text
    assert own.plain not in refused.text


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_takes_the_token_out_all_the_same(own: Own, path: str) -> None:
    answer = own.client.get(with_token(path, own.url))
    assert answer.status_code == 200, answer.text
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers["cache-control"].startswith("private")
    assert "public" not in answer.headers["cache-control"]
    assert own.url not in answer.text


def test_repeated_requests_are_answered_alike_and_admitted_each(own: Own) -> None:
    """The second and later ones come from the cache, which knows no tokens."""
    path = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=7"
    first = own.client.get(with_token(path, own.url))
    again = own.client.get(with_token(path, own.url))
    assert "hot" in again.headers["server-timing"]
    assert again.content == first.content
    assert again.headers["referrer-policy"] == "no-referrer"
    assert again.headers["cache-control"].startswith("private")
    by_header = own.client.get(path, headers=bearer(own.plain))
    assert "hot" in by_header.headers["server-timing"]
    assert "referrer-policy" not in by_header.headers
    for refused in (own.client.get(with_token(path, own.plain)), own.client.get(with_token(path, f"{own.url}x"))):
        assert refused.status_code == 403
    assert own.client.get(path).status_code == 401
    unchanged = own.client.get(with_token(path, own.url), headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304
    assert unchanged.headers["referrer-policy"] == "no-referrer"


def test_head_is_answered_and_other_methods_are_refused(own: Own) -> None:
    assert own.client.head(with_token("/api/hub/market", own.url)).status_code == 200
    posted = own.client.post(with_token("/api/hub/sql", own.url), json={"sql": "SELECT 1"})
    assert posted.status_code == 403
    assert "GET and HEAD" in posted.json()["detail"]
    assert posted.headers["referrer-policy"] == "no-referrer"
    with_header = own.client.post(
        with_token("/api/hub/sql", own.url), json={"sql": "SELECT 1"}, headers=bearer(own.plain)
    )
    assert with_header.status_code == 403
    assert own.client.post("/api/hub/sql", json={"sql": "SELECT 1"}, headers=bearer(own.url)).status_code == 200


def test_a_preflight_for_such_a_url_is_answered(own: Own) -> None:
    headers = {"Origin": "https://sheet.example", "Access-Control-Request-Method": "GET"}
    assert own.client.options(with_token("/api/hub/market", own.url), headers=headers).status_code == 204


def test_a_repeated_token_is_refused_without_being_told(own: Own) -> None:
    answer = own.client.get(f"/api/hub/market?token={own.url}&token={own.url}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "repeated_parameter"
    assert answer.json()["parameter"] == "token"
    assert own.url not in answer.text


@pytest.mark.parametrize("name", ["%74oken", "tok%65n", "%74%6f%6b%65%6e"])
def test_its_name_may_be_written_otherwise(own: Own, name: str) -> None:
    answer = own.client.get(f"/api/hub/market?limit=1&{name}={own.url}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_header_beats_the_url(own: Own, hub: HubServer) -> None:
    path = with_token("/api/hub/market", "wrong")
    assert own.client.get(path, headers=bearer(hub.token)).status_code == 200
    path = with_token("/api/hub/market", own.url)
    assert own.client.get(path, headers=bearer(f"{own.url}x")).status_code == 403


def test_tokens_of_the_hub_come_in_no_other_way_than_before(own: Own, hub: HubServer) -> None:
    for token in (hub.token, hub.add_user("reader", role="read")):
        assert own.client.get("/api/hub/market", headers=bearer(token)).status_code == 200
        for headers in (basic("anyone", token), basic(token, "")):
            refused = own.client.get("/api/hub/market", headers=headers)
            assert refused.status_code == 403
            assert "only client tokens" in refused.json()["detail"]
            assert refused.headers["www-authenticate"].startswith("Bearer")
        in_url = own.client.get(with_token("/api/hub/market", token))
        assert in_url.status_code == 403
        assert "--url" in in_url.json()["detail"]
        assert token not in in_url.text


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic Og==", "Basic abc", "Digest x", "Bearer"])
def test_the_challenge_stays_bearer(own: Own, header: str) -> None:
    for headers in ({"Authorization": header}, {}):
        answer = own.client.get("/api/hub/market", headers=headers)
        assert answer.status_code == 401
        assert answer.headers.get_list("www-authenticate") == ['Bearer realm="crypto-data-hub"']
    assert own.client.get("/api/hub/market?token=").status_code == 401


@pytest.mark.parametrize(
    "wrong", ["dhc_wrong", "dhc_", "dhc_" + "a" * 43, "dhc_ü" + "b" * 9, "secret", "hf_wrongwrong"]
)
def test_wrong_tokens_open_nothing_and_are_not_told(own: Own, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = [
            own.client.get(with_token("/api/hub/market", quote(wrong))),
            own.client.get("/api/hub/market", headers=basic("x", wrong)),
            own.client.get("/binance/api/v3/time", headers={"X-MBX-APIKEY": quote(wrong)}),
        ]
    assert [one.status_code for one in answers[:2]] == [403, 403]
    assert all(len(wrong) < 10 or wrong not in one.text for one in answers)
    assert len(wrong) < 10 or not any(wrong in one or quote(wrong) in one for one in logged(caplog))


def test_no_link_and_no_permalink_repeats_it(own: Own) -> None:
    page = own.client.get(with_token("/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=3", own.url))
    assert 'rel="next"' in page.headers["link"]
    assert "token" not in page.headers["link"]
    query = quote(f"/api/hub/market?symbols=BTC&token={own.url}")
    for path in (f"/api/hub/snippets?path={query}", with_token("/api/hub/snippets?path=/api/hub/market", own.url)):
        found = own.client.get(path, headers=bearer(own.plain))
        assert found.status_code == 200, found.text
        assert own.url not in found.text
        assert found.json()["permalink"].partition("?")[0].endswith("/api/hub/market")


def test_no_problem_repeats_it_wherever_it_was_put(own: Own) -> None:
    for path in (
        f"/api/hub/market?symbols={own.url}",
        f"/api/hub/market?{own.url}=1",
        f"/api/hub/market?token={own.url}&limit=many",
        f"/api/hub/market?token={own.url}&unknown=1",
        f"/nowhere?token={own.url}",
        f"/binance/api/v3/klines?token={own.url}&symbol=NOPE&interval=1h",
        f"/coingecko/api/v3/simple/price?token={own.url}",
    ):
        answer = own.client.get(path, headers=bearer(own.plain))
        assert answer.status_code >= 400
        assert own.url not in answer.text
        assert own.url not in str(answer.headers)


def test_made_and_removed_while_it_runs(own: Own) -> None:
    made = client_tokens.add(own.path, "phone", in_url=True, made=MADE)
    path = with_token("/api/hub/market?limit=2", made)
    assert own.client.get(path).status_code == 200
    client_tokens.remove(own.path, "phone")
    until = time.monotonic() + 2
    while own.client.get(path).status_code == 200 and time.monotonic() < until:
        time.sleep(0.05)
    refused = own.client.get(path)
    assert refused.status_code == 403
    assert "removed" in refused.json()["detail"]


def test_a_stream_ends_when_its_token_is_removed_and_no_log_holds_one(
    hub: HubServer, seeded: Workers, tmp_path: Path
) -> None:
    path, port = tmp_path / "client-tokens.json", free_port()
    made = client_tokens.add(path, "screen", in_url=True, made=MADE)
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    with process(environ, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        wait_until_serving(url)
        with httpx.stream("GET", f"{url}/api/hub/stream", params={"token": made}, timeout=20) as answer:
            assert answer.status_code == 200
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"].startswith("private")
            lines = answer.iter_lines()
            assert "event: ready" in itertools.islice(lines, 4)
            began_s = time.monotonic()
            client_tokens.remove(path, "screen")
            list(lines)
            assert time.monotonic() - began_s < 3
        for asked in ("/api/hub/market", "/api/hub/sql?q=SELEC", "/nowhere", "/docs/", "/api/hub/stream"):
            assert made not in httpx.get(with_token(url + asked, made)).text
        assert httpx.post(with_token(f"{url}/api/hub/sql", made), content=b"{").status_code == 403
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=10)
    assert "its token is accepted no longer" in said
    assert made not in said


def test_nothing_here_keeps_it(own: Own) -> None:
    """Neither the metrics nor the file hold a token; the file is for its user alone."""
    assert own.client.get(with_token("/api/hub/market?limit=4", own.url)).status_code == 200
    metrics = own.client.get("/metrics").text
    kept = own.path.read_text()
    for token in (own.plain, own.url):
        assert token not in metrics
        assert token not in kept
    assert own.path.stat().st_mode & 0o777 == 0o600


def test_the_rate_is_each_tokens_own(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    path = tmp_path / "client-tokens.json"
    first, second = (client_tokens.add(path, name, in_url=True, made=MADE) for name in ("one", "two"))
    with serving(hub, tmp_path, DATAHUB_RATE_LIMIT_PER_MIN="2") as client:
        del client.headers["Authorization"]
        asked = [client.get(with_token("/api/hub/market?limit=1", first)).status_code for _ in range(3)]
        assert asked == [200, 200, 429]
        assert client.get("/api/hub/market?limit=1", headers=basic("x", first)).status_code == 429
        assert client.get(with_token("/api/hub/market?limit=1", second)).status_code == 200


def test_the_schema_names_the_ways(own: Own) -> None:
    schema = own.client.get("/schema/openapi.json").json()
    schemes = schema["components"]["securitySchemes"]
    assert schemes["basic"]["scheme"] == "basic"
    assert schemes["urlToken"] | {"description": ""} == {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "",
    }
    for path in ("/api/hub/market", "/api/hub/stream", "/binance/api/v3/klines"):
        security = schema["paths"][path]["get"]["security"]
        assert security[:3] == [{"bearer": []}, {"basic": []}, {"urlToken": []}]
