"""Dagster's UI behind a proxy: with the token for everybody, and strangers do not lock the owner out."""

from collections.abc import Iterator

import httpx
import pytest

from tests.security.dagster_ui import TOKEN, TYPED, DagsterUi, limit, sent

PROXY = "127.0.0.1"
OWNER = {"authorization": f"Bearer {TOKEN}"}
WRONG = {"authorization": "Bearer wrong"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    """On loopback, of a machine with several users, behind a proxy on it that ends TLS."""
    with DagsterUi(
        tmp_path_factory.mktemp("shared"),
        DATAHUB_DAGSTER_LOGIN="true",
        DATAHUB_ALLOWED_HOSTS="dagster.example.org",
        DATAHUB_TRUSTED_PROXIES=PROXY,
        HF_TOKEN=TOKEN,
    ) as ui:
        yield ui
        assert TOKEN not in ui.log.read_text()


def test_another_user_of_this_machine_needs_the_token(shared: DagsterUi) -> None:
    assert shared.client.get("/runs", headers=TYPED).status_code == 401
    assert shared.client.post("/graphql", json={"query": limit("user")}).status_code == 401
    assert shared.client.post("/report_asset_materialization/user").status_code == 401
    assert shared.handshake() == 403
    assert "user" not in shared.limits(**OWNER)
    assert shared.handshake(**OWNER) == 101


def test_the_host_behind_the_proxy_is_ours_where_there_is_a_login(shared: DagsterUi) -> None:
    host = {"host": "dagster.example.org"}
    assert shared.client.get("/server_info", headers=host).json() == {"status": "ok"}
    assert shared.client.get("/", headers={"host": "evil.example"}).status_code == 421


def tried(ui: DagsterUi, token: str, client: str = "") -> httpx.Response:
    """The answer to the login form, asked through the proxy for a client."""
    forwarded = {"x-forwarded-for": client, "x-forwarded-proto": "https"} if client else {}
    headers = {"origin": "https://dagster.example.org", "host": "dagster.example.org", **forwarded}
    try:
        return ui.client.post("/login", data={"token": token}, headers=headers)
    finally:
        ui.client.cookies.clear()


def test_strangers_do_not_lock_the_owner_out(shared: DagsterUi) -> None:
    for place in ("", "203.0.113.7"):
        assert [tried(shared, f"guess-{number}", place).status_code for number in range(10)] == [401] * 10
        for _ in range(3):
            refused = tried(shared, "guess", place)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 300
        assert tried(shared, TOKEN, place).status_code == 303
        forwarded = {"x-forwarded-for": place} if place else {}
        assert shared.client.get("/", headers={**OWNER, **forwarded}).status_code == 200
        assert shared.client.get("/", headers={**WRONG, **forwarded}).status_code == 429, "the right one resets nothing"


def test_clients_of_a_proxy_are_told_apart(shared: DagsterUi) -> None:
    for number in range(10):
        tried(shared, "wrong", f"6.6.6.{number}, 203.0.113.8")
    assert tried(shared, "wrong", "203.0.113.8").status_code == 429
    assert tried(shared, "wrong", "203.0.113.9").status_code == 401


def test_the_right_token_is_not_counted(shared: DagsterUi) -> None:
    client = "203.0.113.10"
    assert [tried(shared, TOKEN, client).status_code for _ in range(15)] == [303] * 15
    assert tried(shared, "wrong", client).status_code == 401


@pytest.mark.parametrize("first", [TOKEN, "wrong"])
@pytest.mark.parametrize("second", [TOKEN, "wrong"])
def test_two_tokens_are_refused_whichever_is_good(shared: DagsterUi, first: str, second: str) -> None:
    answer = sent(shared, ("authorization", f"Bearer {first}"), ("Authorization", f"Bearer {second}"))
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
    assert "authorization" in answer.json()["detail"]
    assert TOKEN not in answer.text
