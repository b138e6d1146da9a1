"""Tokens: over when they are revoked, and strangers' made-up ones are no trouble to anybody else."""

import asyncio
import threading
from collections.abc import Iterator
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
from api.http.errors import TokenRefused, TooManyUnknownTokens
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import DataHubError, HubRefused, HubUnavailable
from datahub_assets.settings import Settings
from localhub.store import accounts
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.following import following
from tests.api.process import free_port
from tests.api.workers import NOW_MS, Workers, prices

WAIT_S = 20.0


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
