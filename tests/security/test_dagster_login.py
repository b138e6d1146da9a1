"""On an address that other machines reach, Dagster's UI asks for the owner's token."""

import base64
import re
from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx
import pytest

from datahub_assets.ops.dagster.web.access import needs_login, own_hosts
from datahub_assets.ops.dagster.web.application import guarded
from datahub_assets.ops.dagster.web.sessions import FailedLogins, Sessions
from datahub_assets.ops.errors import OpsError
from datahub_assets.settings import Settings
from tests.security.dagster_ui import FETCH, JSON, LINKED, TOKEN, TYPED, DagsterUi, limit

EVERYWHERE = "0.0.0.0"  # noqa: S104 - with a login
QUERY = {"query": "{ version }"}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    with DagsterUi(
        tmp_path_factory.mktemp("home"),
        DATAHUB_DAGSTER_HOST=EVERYWHERE,
        DATAHUB_ALLOWED_HOSTS="dagster.example.org",
        HF_TOKEN=TOKEN,
    ) as ui:
        yield ui
        log = ui.log.read_text()
        assert TOKEN not in log
        assert "Traceback" not in log


@pytest.fixture(autouse=True)
def _no_cookies(ui: DagsterUi) -> None:
    ui.client.cookies.clear()


def log_in(ui: DagsterUi, token: str = TOKEN, *, after: str = "/", **headers: str) -> httpx.Response:
    """What a browser sends from the login page."""
    given = {**TYPED, "sec-fetch-site": "same-origin", "origin": ui.origin, **headers}
    return ui.client.post("/login", data={"token": token, "next": after}, headers=given)


def cookie(answer: httpx.Response) -> Morsel[str]:
    return SimpleCookie(answer.headers["set-cookie"])["datahub_dagster"]


def test_a_stranger_sees_the_login_page_and_nothing_of_dagster(ui: DagsterUi) -> None:
    page = ui.client.get("/runs?q=%22a", headers=TYPED)
    assert page.status_code == 401
    assert '<input type="hidden" name="next" value="/runs?q=%22a">' in page.text
    assert '<label for="token">' in page.text
    assert "_next/static" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in policy + page.text
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/favicon.svg", "/graphql", "/dagit_info", "/logs/x/y.out", "/server_info/", "//login"]
)
def test_a_stranger_reads_nothing(ui: DagsterUi, path: str) -> None:
    answer = ui.client.get(path, headers={"accept": "*/*"})
    assert answer.status_code in {401, 405}
    assert answer.json()["code"] in {"login_needed", "method_not_allowed"}
    assert "basic" not in answer.headers.get("www-authenticate", "").lower(), "the browser's own window"


def test_a_stranger_changes_nothing(ui: DagsterUi) -> None:
    assert ui.client.post("/graphql", json={"query": limit("stranger")}).status_code == 401
    assert ui.client.post("/report_asset_materialization/stranger").status_code == 401
    assert ui.handshake() == 403
    assert ui.handshake(origin=ui.origin, cookie="datahub_dagster=guessed") == 403
    assert "stranger" not in ui.limits(authorization=f"Bearer {TOKEN}")


def test_the_readiness_tells_strangers_no_versions(ui: DagsterUi) -> None:
    assert ui.client.get("/server_info").json() == {"status": "ok"}
    known = ui.client.get("/server_info", headers={"authorization": f"Bearer {TOKEN}"})
    assert known.json()["dagster_webserver_version"] == "1.13.27"


def test_the_token_opens_the_ui_for_a_browser(ui: DagsterUi) -> None:
    answer = log_in(ui, after="/runs?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?x=1")
    given = cookie(answer)
    assert (given["httponly"], given["samesite"].lower(), given["path"]) == (True, "strict", "/")
    assert (given["secure"], given["domain"]) == ("", "")
    assert 0 < int(given["max-age"]) <= 12 * 3600
    assert TOKEN not in answer.headers["set-cookie"]
    assert "_next/static" in ui.client.get("/runs", headers=TYPED).text
    assert ui.graphql("{ version }") == {"version": "1.13.27"}
    assert ui.handshake(origin=ui.origin, cookie=f"datahub_dagster={given.value}") == 101
    assert "Log out" in ui.client.get("/login", headers=TYPED).text


def test_a_session_does_not_pass_the_guard(ui: DagsterUi) -> None:
    given = cookie(log_in(ui)).value
    evil = FETCH | {"sec-fetch-site": "cross-site", "origin": "http://evil.example"}
    assert ui.client.post("/graphql", json=QUERY, headers=evil).status_code == 403
    assert ui.handshake(origin="http://evil.example", cookie=f"datahub_dagster={given}") == 403
    assert ui.client.get("/", headers={"host": "evil.example"}).status_code == 421


def test_behind_tls_the_cookie_stays_within_tls(ui: DagsterUi) -> None:
    host = {"host": "dagster.example.org"}
    assert cookie(log_in(ui, **host, origin="https://dagster.example.org"))["secure"]
    assert cookie(log_in(ui, **host, **{"x-forwarded-proto": "https"}))["secure"]


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN.upper(), "h\u00e4h"])
def test_a_wrong_token_opens_nothing(ui: DagsterUi, token: str) -> None:
    with other_address(ui, "127.0.0.9") as client:
        answer = client.post("/login", data={"token": token}, headers={"origin": ui.origin})
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    assert not token or token not in answer.text


@pytest.mark.parametrize(
    "after",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "/logout",
        "/login?x",
        "",
    ],
)
def test_the_login_leads_nowhere_else(ui: DagsterUi, after: str) -> None:
    assert log_in(ui, after=after).headers["location"] == "/"


def test_logging_out_ends_the_session(ui: DagsterUi) -> None:
    given = cookie(log_in(ui)).value
    assert ui.client.get("/logout", headers=TYPED).headers["location"] == "/login"
    assert ui.client.get("/", headers=TYPED).status_code == 200, "not by a link"
    headers = {**TYPED, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
    answer = ui.client.post("/logout", headers={**headers, "origin": ui.origin})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert not ui.client.cookies
    assert ui.client.get("/", headers={**TYPED, "cookie": f"datahub_dagster={given}"}).status_code == 401


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_no_other_site_logs_a_browser_in_or_out(ui: DagsterUi, path: str) -> None:
    log_in(ui)
    evil = [{**LINKED, "origin": "http://evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}]
    for headers in evil:
        assert ui.client.post(path, data={"token": TOKEN}, headers=headers).status_code == 403
    assert ui.client.post(path, json={"token": TOKEN}).status_code == 415
    assert ui.client.get("/", headers=TYPED).status_code == 200


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic("", TOKEN), basic("anyone", TOKEN)])
def test_a_program_sends_the_token_with_each_request(ui: DagsterUi, header: str) -> None:
    answer = ui.client.post("/graphql", json=QUERY, headers={"authorization": header})
    assert answer.json() == {"data": {"version": "1.13.27"}}
    assert "set-cookie" not in answer.headers
    assert ui.handshake(authorization=header) == 101


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer x", basic(TOKEN, ""), "Basic %", "Basic /w==", f"Token {TOKEN}", TOKEN]
)
def test_a_program_with_a_wrong_header_is_refused(ui: DagsterUi, header: str) -> None:
    with other_address(ui, "127.0.0.8") as client:
        assert client.post("/graphql", json=QUERY, headers={"authorization": header}).status_code == 401
        assert client.get("/graphql", params={"token": TOKEN}, headers=TYPED).status_code == 401, "never in a URL"


def other_address(ui: DagsterUi, address: str) -> httpx.Client:
    """A client from another address, so that what it does wrong counts there."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=ui.origin, transport=transport, timeout=60)


def test_guessing_is_limited_by_address(ui: DagsterUi) -> None:
    with other_address(ui, "127.0.0.7") as guesser:
        session = guesser.post("/login", data={"token": TOKEN}, headers={"origin": ui.origin})
        guesser.cookies.clear()
        for number in range(10):
            wrong = {"authorization": f"Bearer guess-{number}"}
            assert guesser.get("/", headers=wrong).status_code == 401
        for answer in (
            guesser.post("/login", data={"token": "guess"}),
            guesser.get("/", headers={"authorization": "Bearer guess"}),
        ):
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 300
            assert "set-cookie" not in answer.headers
        kept = {"cookie": f"datahub_dagster={cookie(session).value}"}
        assert guesser.get("/", headers=kept).status_code == 200, "who is in stays in"
    assert log_in(ui).status_code == 303, "others are not kept out"


def test_a_form_is_bounded_for_strangers(ui: DagsterUi) -> None:
    assert ui.client.post("/login", data={"token": "x" * 20_000}).status_code == 413
    assert ui.client.post("/graphql", content=b" " * 100_000, headers=JSON).status_code == 401


def test_named_hosts_are_answered_where_there_is_a_login(ui: DagsterUi) -> None:
    assert ui.client.get("/", headers={**TYPED, "host": "dagster.example.org"}).status_code == 401
    refused = ui.client.get("/", headers={**TYPED, "host": "other.example.org"})
    assert refused.status_code == 421
    assert "DATAHUB_ALLOWED_HOSTS" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("host", "needed"),
    [
        *[(host, False) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "LocalHost", "::ffff:127.0.0.1")],
        *[
            (host, True)
            for host in (EVERYWHERE, "::", "192.0.2.7", "2001:db8::1", "example.org", "localhost.example.org", "")
        ],
    ],
)
def test_what_other_machines_reach_needs_a_login(host: str, needed: bool) -> None:
    settings = Settings.from_env({"DATAHUB_ALLOWED_HOSTS": "*"}).model_copy(update={"dagster_host": host})
    assert needs_login(settings) is needed
    assert ("evil.example" in own_hosts(settings)) is needed
    assert needs_login(settings.model_copy(update={"dagster_login": True}))


@pytest.mark.parametrize(("name", "value"), [("DATAHUB_DAGSTER_HOST", EVERYWHERE), ("DATAHUB_DAGSTER_LOGIN", "true")])
def test_without_a_token_nothing_is_served(tmp_path: Path, name: str, value: str) -> None:
    environ = {"DATAHUB_HOME": str(tmp_path), name: value, "HF_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(OpsError, match=re.escape(f"{name}={value}")):
        guarded(_nothing, Settings.from_env(environ))


async def _nothing(*_: object) -> None:
    raise AssertionError("asked")


def test_sessions_end_and_the_oldest_makes_room() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0], lifetime_s=10, most=2)
    first = sessions.begin()
    assert sessions.knows(first)
    now[0] = 9.9
    second = sessions.begin()
    assert sessions.knows(first)
    now[0] = 10.0
    assert [sessions.knows(first), sessions.knows(second), sessions.knows("")] == [False, True, False]
    more = [sessions.begin(), sessions.begin()]
    assert [sessions.knows(one) for one in (second, *more)] == [False, True, True]
    sessions.end(more[0])
    assert not sessions.knows(more[0])


def test_wrong_tokens_are_forgiven_after_a_while() -> None:
    now = [0.0]
    failed = FailedLogins(lambda: now[0], most=2, window_s=60)
    for time_s in (0.0, 30.0):
        now[0] = time_s
        assert failed.wait_s("a") == 0
        failed.add("a")
    assert (failed.wait_s("a"), failed.wait_s("b")) == (30, 0)
    now[0] = 60.0
    assert failed.wait_s("a") == 0
    failed.add("a")
    assert failed.wait_s("a") == 30
