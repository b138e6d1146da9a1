"""Tokens: one a request, over when they are revoked, and strangers' made-up ones are no trouble to anybody else."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from litestar.testing import TestClient

from api.access.auth import Authenticator
from api.access.unknown_tokens import UnknownTokenLimit
from api.asgi import create_app_with
from api.engine.create import create_engine
from api.engine.hub.reader import Account
from api.http.context import RequestContext
from api.http.errors import RepeatedHeader, TokenRefused, TooManyUnknownTokens
from api.middleware.bounds import check_closely
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import DataHubError, HubRefused, HubUnavailable, SettingsError
from datahub_assets.settings import Settings
from datahub_system.net.forwarded import behind_proxies
from datahub_system.net.headers import ONLY_ONCE
from localhub.store import accounts
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.following import following
from tests.api.process import free_port, serving_process
from tests.api.workers import NOW_MS, Workers, prices

BAD = "Bearer hf_nobodynobody"
BINANCE = "/binance/api/v3/ping"
GECKO = "/coingecko/api/v3/ping"
WAIT_S = 20.0


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    with serving_process(hub, home, DATAHUB_WEBHOOK_SECRET="s3cr3t") as address:
        yield address


def sent(url: str, path: str, *headers: tuple[str, str], method: str = "GET") -> httpx.Response:
    """A request with these headers, repeated ones too; an in-process client would merge them."""
    return httpx.request(method, url + path, headers=list(headers))


@pytest.mark.parametrize("path", ["/api/hub/market", "/api/hub/sql?q=SELECT+1", "/api/hub/stream", "/api/hub/status"])
@pytest.mark.parametrize("second", ["good", "bad", "empty"])
@pytest.mark.parametrize("turned", [False, True])
def test_two_authorization_headers_are_refused(
    url: str, hub: HubServer, path: str, second: str, *, turned: bool
) -> None:
    good = f"Bearer {hub.token}"
    if path == "/api/hub/market":
        assert sent(url, path, ("Authorization", good)).status_code == 200  # hot from here on
    values = [good, {"good": good, "bad": BAD, "empty": ""}[second]]
    answer = sent(url, path, *(("Authorization", value) for value in (values[::-1] if turned else values)))
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
    assert answer.json()["parameter"] == "authorization"
    assert hub.token not in answer.text


@pytest.mark.parametrize("second", ["s3cr3t", "other"])
def test_two_webhook_secrets_are_refused(url: str, second: str) -> None:
    answer = sent(url, "/api/hub/webhook", ("X-Webhook-Secret", "s3cr3t"), ("X-Webhook-Secret", second), method="POST")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize("name", sorted([*ONLY_ONCE, b"last-event-id"]))
def test_other_headers_of_one_value_are_refused_too(name: bytes) -> None:
    scope: Any = {"path": "/", "query_string": b"", "headers": [(name, b"1"), (name, b"1")]}
    with pytest.raises(RepeatedHeader, match=name.decode()):
        check_closely(scope, RequestContext(scope))


@pytest.mark.parametrize("name", ["X-MBX-APIKEY", "Authorization"])
def test_a_repeated_key_is_refused_as_binance_would(url: str, hub: HubServer, name: str) -> None:
    value = hub.token if name != "Authorization" else f"Bearer {hub.token}"
    answer = sent(url, BINANCE, (name, value), (name, "hf_other0000"))
    assert (answer.status_code, answer.json()["code"]) == (400, -1101)
    assert hub.token not in answer.text


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([("x-cg-pro-api-key", "TOKEN"), ("x-cg-pro-api-key", "hf_other0000")], ""),
        ([("x-cg-pro-api-key", "TOKEN"), ("x-cg-demo-api-key", "hf_other0000")], ""),
        ([("x-cg-pro-api-key", "TOKEN")], "?x_cg_pro_api_key=hf_other0000"),
        ([], "?x_cg_pro_api_key=TOKEN&x_cg_pro_api_key=hf_other0000"),
        ([], "?x_cg_pro_api_key=TOKEN&x%5Fcg_pro_api_key="),
        ([], "?x_cg_pro_api_key=TOKEN&x_cg_demo_api_key=hf_other0000"),
    ],
)
def test_keys_that_contradict_each_other_are_refused_as_coingecko_would(
    url: str, hub: HubServer, headers: list[tuple[str, str]], query: str
) -> None:
    given = [(name, value.replace("TOKEN", hub.token)) for name, value in headers]
    answer = sent(url, GECKO + query.replace("TOKEN", hub.token), *given)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert hub.token not in answer.text


def test_the_same_key_in_two_places_is_one_key(url: str, hub: HubServer) -> None:
    answer = sent(url, f"{GECKO}?x_cg_pro_api_key={hub.token}", ("x-cg-demo-api-key", hub.token))
    assert answer.status_code == 200


def test_lists_may_be_sent_in_several_lines(url: str, hub: HubServer) -> None:
    token = ("Authorization", f"Bearer {hub.token}")
    for _ in range(2):  # the long way, and the hot one
        answer = sent(url, "/api/hub/market", token, ("Accept", "image/png"), ("Accept", "text/csv"))
        assert answer.headers["content-type"].startswith("text/csv")
        etags = (("If-None-Match", '"other"'), ("If-None-Match", answer.headers["etag"]))
        assert sent(url, "/api/hub/market", token, ("Accept", "text/csv"), *etags).status_code == 304
    coded = sent(
        url, "/api/hub/ohlc?symbol=BTCUSDT", token, ("Accept-Encoding", "identity"), ("Accept-Encoding", "gzip")
    )
    assert coded.headers["content-encoding"] == "gzip"


# A stream and its token.


@contextmanager
def served(hub: HubServer, home: Path, *, accepted_for_s: float, **variables: str) -> Iterator[str]:
    """The real application in a thread, which asks about tokens again that soon."""
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(home), "DATAHUB_POLL_S": "0.2"}
    settings = Settings.from_env(environ | {"DATAHUB_RATE_LIMIT_PER_MIN": "0"} | variables)
    app = create_app_with(settings, create_engine(settings), accepted_for_s=accepted_for_s)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: server.started and httpx.get(f"{url}/api/hub/status").json()["status"] != "unavailable")
        yield url
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


def revoke(hub: HubServer, name: str) -> None:
    with hub._started().home.database.write() as con:
        accounts.revoke_token(con, name)


def test_a_stream_ends_when_its_token_is_revoked(
    hub: HubServer, seeded: Workers, tmp_path: Path, workers: Workers
) -> None:
    revoked, kept = hub.add_user("erin", role="read"), hub.add_user("frank", role="read")
    with (
        served(hub, tmp_path, accepted_for_s=0.2) as url,
        following(url, hub, token=revoked, dataset="market") as (ending, _),
        following(url, hub, token=kept, dataset="market") as (lasting, _),
        following(url, hub, dataset="market") as (owners, _),
    ):
        revoke(hub, "erin")
        theirs = {"Authorization": f"Bearer {revoked}"}
        assert httpx.get(f"{hub.url}/api/whoami-v2", headers=theirs).status_code == 401, "at once"
        assert ending.ended()
        sha = workers.publish(MARKET, prices(at_ms=NOW_MS + 3_600_000))
        assert lasting.next().id == sha
        assert owners.next().id == sha
        answer = httpx.get(f"{url}/api/hub/market", headers=theirs)
        assert answer.status_code == 403


class Door:
    """The Hub's whoami."""

    def __init__(self) -> None:
        self.account: Account | None = Account("alice", ("acme",))
        self.is_up = True
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    async def asked_times(self, times: int) -> None:
        await asyncio.to_thread(until, lambda: self.asked >= times)

    def whoami(self, token: str) -> Account:
        self.asked += 1
        if not token.startswith("hf_alice"):
            self.gate.wait(WAIT_S)
            raise HubRefused("unknown")
        if not self.is_up:
            raise HubUnavailable("down")
        if self.account is None:
            raise HubRefused("unknown")
        return self.account


ALICE = b"Bearer hf_alicealice"


def authenticator(door: Door, **more: Any) -> Authenticator:
    return Authenticator(owner_token=lambda: None, whoami=door.whoami, **({"accepted_for_s": 0.05} | more))


@pytest.mark.parametrize("account", [None, Account("alice", ())])
def test_a_token_is_asked_about_again_and_ends(account: Account | None) -> None:
    """Revoked, or of an account that is none of the allowed ones any longer."""
    door = Door()

    async def run() -> DataHubError:
        auth = authenticator(door, allowed_users=("acme",))
        await auth.authenticate(ALICE)
        ending = asyncio.create_task(auth.refused(ALICE))
        await door.asked_times(3)
        assert not ending.done()
        door.account = account
        return await asyncio.wait_for(ending, WAIT_S)

    assert isinstance(asyncio.run(run()), TokenRefused)


def test_a_hub_that_does_not_answer_ends_no_stream() -> None:
    door = Door()

    async def run() -> None:
        auth = authenticator(door)
        await auth.authenticate(ALICE)
        door.is_up = False
        ending = asyncio.create_task(auth.refused(ALICE))
        await door.asked_times(4)
        assert not ending.done()
        ending.cancel()

    asyncio.run(run())


def test_a_hub_that_cannot_be_asked_keeps_a_token_good_for_an_hour() -> None:
    door, now_s = Door(), [0.0]

    async def run() -> None:
        auth = authenticator(door, accepted_for_s=300.0, clock=lambda: now_s[0])
        await auth.authenticate(ALICE)
        door.is_up = False
        for now_s[0] in (301.0, 3599.0):
            assert (await auth.authenticate(ALICE)).name == "alice"
        now_s[0] = 3600.0
        assert auth.known_principal(ALICE) is None
        with pytest.raises(HubUnavailable):
            await auth.authenticate(ALICE)
        door.is_up = True
        assert (await auth.authenticate(ALICE)).name == "alice"

    asyncio.run(run())


def test_a_token_is_not_asked_about_before_its_verdict_ends() -> None:
    door = Door()

    async def run() -> None:
        auth = authenticator(door, accepted_for_s=3600.0)
        await auth.authenticate(ALICE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(auth.refused(ALICE), 0.3)
        assert door.asked == 1

    asyncio.run(run())


def test_a_stream_of_the_owner_ends_when_the_token_changes() -> None:
    owner = ["hf_firstfirst"]
    door = Door()

    async def run() -> DataHubError:
        auth = Authenticator(owner_token=lambda: owner[0], whoami=door.whoami, accepted_for_s=0.05)
        assert (await auth.authenticate(b"Bearer hf_firstfirst")).name == "owner"
        ending = asyncio.create_task(auth.refused(b"Bearer hf_firstfirst"))
        await asyncio.sleep(0.2)
        assert not ending.done()
        owner[0] = "hf_secondsecond"
        return await asyncio.wait_for(ending, WAIT_S)

    assert isinstance(asyncio.run(run()), TokenRefused)


# Strangers' tokens.


def test_made_up_tokens_neither_delay_nor_forget_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.access.auth._REMEMBERED", 20)
    door = Door()

    async def run() -> None:
        auth = authenticator(door, unknown_tokens=UnknownTokenLimit(per_address=None, total=None))
        await auth.authenticate(ALICE)
        for number in range(40):
            with pytest.raises(TokenRefused):
                await auth.authenticate(f"Bearer hf_madeup{number:06}".encode())
        door.is_up = False
        assert (await auth.authenticate(ALICE)).name == "alice", "known from before, though the Hub is down"
        door.is_up = True
        door.gate.clear()
        flood = [asyncio.create_task(auth.authenticate(f"Bearer hf_flood{n:06}".encode())) for n in range(200)]
        await asyncio.sleep(0.1)  # alice's verdict ends, and every thread for strangers waits for the Hub
        assert (await asyncio.wait_for(auth.authenticate(ALICE), WAIT_S)).name == "alice"
        door.gate.set()
        outcomes = [type(outcome) for outcome in await asyncio.gather(*flood, return_exceptions=True)]
        assert set(outcomes) == {TokenRefused, TooManyUnknownTokens}
        assert outcomes.count(TokenRefused) == 128

    asyncio.run(run())


def test_busy_strangers_leave_places_for_others() -> None:
    """Sixty addresses ask at once and one of them as often as it can: it alone is told to wait."""
    door = Door()
    door.gate.clear()

    async def run() -> None:
        auth = authenticator(door, unknown_tokens=UnknownTokenLimit(per_address=None, total=None))

        def ask(address: str, *, times: int) -> list[asyncio.Task[Any]]:
            tokens = [f"Bearer hf_{address.replace(':', '.')}.{number:06}".encode() for number in range(times)]
            return [asyncio.create_task(auth.authenticate(token, address=address)) for token in tokens]

        # Another address of the same subscriber is no other.
        greedy = ask("2001:db8::1", times=100) + ask("2001:db8::2", times=100)
        strangers = [task for number in range(60) for task in ask(f"192.0.2.{number}", times=1)]
        refused = await asyncio.to_thread(until_done, greedy, 192)
        assert {type(task.exception()) for task in refused} == {TooManyUnknownTokens}
        assert all("8 unknown tokens from this address" in str(task.exception()) for task in refused)
        door.gate.set()
        outcomes = await asyncio.gather(*strangers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {TokenRefused}
        await asyncio.wait(greedy)
        (later,) = ask("2001:db8::3", times=1)
        with pytest.raises(TokenRefused):
            await later

    asyncio.run(run())


def until_done(tasks: list[asyncio.Task[Any]], number: int) -> list[asyncio.Task[Any]]:
    until(lambda: sum(task.done() for task in tasks) >= number)
    return [task for task in tasks if task.done()]


def test_the_embedded_hub_needs_no_budget(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(hub.token)
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path), "DATAHUB_LOCALHUB_PORT": hub.url.rpartition(":")[2]})
    assert settings.embedded_hub
    with TestClient(create_app_with(settings, create_engine(settings))) as client:
        for number in range(130):  # more than the budget in all
            answer = client.get("/api/hub/market", headers={"Authorization": f"Bearer hf_madeup{number:06}"})
            assert answer.json()["code"] == "token_refused"


# Clients behind proxies.


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("203.0.113.5", ["6.6.6.6"], "203.0.113.5"),
        ("fd00::1", ["203.0.113.9"], "203.0.113.9"),
    ],
)
def test_a_trusted_proxy_names_the_client(peer: str, forwarded: list[str], client: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    settings = Settings.from_env({"DATAHUB_TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16, fd00::1"})
    scope: Any = {
        "type": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }
    asyncio.run(behind_proxies(app, settings.trusted_proxies)(scope, None, None))
    assert seen == [client]


@pytest.mark.parametrize("value", ["proxy.example.org", "10.0.0.1/8", "*", "10.0.0"])
def test_proxies_are_addresses_and_networks(value: str) -> None:
    with pytest.raises(SettingsError, match=r"DATAHUB_TRUSTED_PROXIES=.*10\.1\.0\.0/16"):
        Settings.from_env({"DATAHUB_TRUSTED_PROXIES": value})


def codes(url: str, forwarded: str, *, times: int, name: str) -> list[str]:
    """What many requests with made-up tokens are told, several at once: the budgets fill up again as time goes by."""

    def ask(client: httpx.Client, number: int) -> str:
        headers = {
            "Authorization": f"Bearer hf_{name}{number:06}",
            "X-Forwarded-For": forwarded.format(number=number % 250),
        }
        return str(client.get("/api/hub/market", headers=headers).json()["code"])

    with httpx.Client(base_url=url) as client, ThreadPoolExecutor(4) as threads:
        return list(threads.map(lambda number: ask(client, number), range(times)))


def test_one_stranger_behind_a_proxy_locks_nobody_out(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving_process(hub, tmp_path, DATAHUB_TRUSTED_PROXIES="127.0.0.1") as url:
        # What the stranger's own header says stands left of the address the proxy adds.
        strangers = codes(url, "192.0.2.{number}, 203.0.113.9", times=60, name="madeup")
        assert "too_many_unknown_tokens" in strangers[:40]
        newcomer = hub.add_user("grace", role="read")
        headers = {"Authorization": f"Bearer {newcomer}", "X-Forwarded-For": "203.0.113.10"}
        assert httpx.get(f"{url}/api/hub/market", headers=headers).status_code == 200


def test_a_proxy_nobody_trusts_names_no_client(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving_process(hub, tmp_path) as url:
        rounds = (codes(url, "192.0.2.{number}", times=50, name=f"made{number}up") for number in range(20))
        assert any("too_many_unknown_tokens" in told for told in rounds)
