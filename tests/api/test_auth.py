"""Who may read: the server's own token and tokens the Hub knows, within their limits, and never shown."""

import asyncio
import logging
from pathlib import Path

import pytest

from api.access.auth import Authenticator
from api.access.unknown_tokens import UnknownTokenLimit
from api.engine.hub.reader import Account
from api.http.errors import TokenMissing, TokenRefused, TooManyUnknownTokens
from datahub_assets.domain.errors import HubRefused, HubUnavailable
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import Workers

OWNER = "hf_ownerownerowner"
GUARDED = [
    "/api/hub/market",
    "/api/hub/ohlc?symbol=BTCUSDT",
    "/api/hub/dataset-info",
    "/api/hub/revisions?dataset=ohlc",
    "/api/hub/diff?dataset=ohlc&from=main",
    "/api/hub/coverage",
]
OPEN = ["/api/hub/status", "/api/hub/health", "/api/health", "/docs", "/scalar", "/schema/openapi.json", "/metrics"]


class Hub:
    """The Hub's whoami: which tokens it knows, and whether it is there."""

    def __init__(self) -> None:
        self.known = {"hf_alicealice": Account("alice", ("acme",)), "hf_bobbobbob": Account("bob", ())}
        self.is_up = True
        self.asked: list[str] = []

    def whoami(self, token: str) -> Account:
        self.asked.append(token)
        if not self.is_up:
            raise HubUnavailable("down")
        if token not in self.known:
            raise HubRefused("unknown")
        return self.known[token]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def door() -> Hub:
    return Hub()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def authenticator(door: Hub, clock: Clock, *, allowed: tuple[str, ...] = (), budget: int = 30) -> Authenticator:
    return Authenticator(
        owner_token=lambda: OWNER,
        whoami=door.whoami,
        allowed_users=allowed,
        unknown_tokens=UnknownTokenLimit(per_address=budget, total=2 * budget, clock=clock),
        clock=clock,
    )


def name_of(auth: Authenticator, token: str, *, address: str = "192.0.2.1") -> str:
    return asyncio.run(auth.authenticate(f"Bearer {token}".encode(), address=address)).name


def test_the_own_token_needs_no_hub(door: Hub, clock: Clock) -> None:
    door.is_up = False
    assert name_of(authenticator(door, clock, allowed=("nobody",)), OWNER) == "owner"
    assert door.asked == []


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Bearer ", b"Basic abc", b"hf_alicealice"])
def test_without_a_bearer_token_it_is_missing(door: Hub, clock: Clock, header: bytes | None) -> None:
    with pytest.raises(TokenMissing):
        asyncio.run(authenticator(door, clock).authenticate(header))
    assert door.asked == []


@pytest.mark.parametrize(
    "token",
    ["x", "hf_tiny", "hf_short", "hf_" + "a" * 2000, "hf_with space", "secret", "hf_ünïcödeünï", "hf_a\x00aaaaaaaaaa"],
)
def test_the_hub_is_not_asked_about_what_is_no_token(door: Hub, clock: Clock, token: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        name_of(authenticator(door, clock), token)
    assert door.asked == []
    assert len(token) == 1 or token not in str(refused.value)


def test_a_token_is_asked_about_once_in_a_while(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock)
    for _ in range(5):
        assert name_of(auth, "hf_alicealice") == "alice"
    assert len(door.asked) == 1
    clock.now_s += 301
    assert name_of(auth, "hf_alicealice") == "alice"
    assert len(door.asked) == 2


def test_a_refused_token_is_remembered_too(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock)
    for _ in range(5):
        with pytest.raises(TokenRefused):
            name_of(auth, "hf_mallorymallory")
    assert len(door.asked) == 1
    door.known["hf_mallorymallory"] = Account("mallory", ())
    clock.now_s += 61
    assert name_of(auth, "hf_mallorymallory") == "mallory"


def test_a_revoked_token_stops_working(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock)
    assert name_of(auth, "hf_alicealice") == "alice"
    del door.known["hf_alicealice"]
    clock.now_s += 301
    with pytest.raises(TokenRefused):
        name_of(auth, "hf_alicealice")


def test_known_tokens_work_while_the_hub_is_down_for_an_hour(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock)
    assert name_of(auth, "hf_alicealice") == "alice"
    door.is_up = False
    clock.now_s += 3590
    for _ in range(5):
        assert name_of(auth, "hf_alicealice") == "alice"
    assert len(door.asked) == 2, "the Hub that is down is not asked at every request"
    with pytest.raises(HubUnavailable):
        name_of(auth, "hf_bobbobbob")
    clock.now_s += 11
    with pytest.raises(HubUnavailable):
        name_of(auth, "hf_alicealice")


def test_unknown_tokens_have_a_budget_and_known_ones_do_not_pay_for_it(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock, budget=3)
    assert name_of(auth, "hf_alicealice") == "alice"
    for number in range(2):
        with pytest.raises(TokenRefused):
            name_of(auth, f"hf_guessguess{number}")
    with pytest.raises(TooManyUnknownTokens):
        name_of(auth, "hf_guessguess9")
    with pytest.raises(TooManyUnknownTokens):
        name_of(auth, "hf_bobbobbob")
    assert name_of(auth, "hf_alicealice") == "alice"
    clock.now_s += 301
    assert name_of(auth, "hf_alicealice") == "alice"
    assert name_of(auth, "hf_bobbobbob") == "bob"


def guess_from(auth: Authenticator, address: str, *, times: int) -> None:
    for number in range(times):
        with pytest.raises(TokenRefused):
            name_of(auth, f"hf_guessguess{address.replace(':', '.')}{number}", address=address)


@pytest.mark.parametrize(
    ("stranger", "same", "another"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
    ],
)
def test_a_stranger_does_not_lock_newcomers_out(
    door: Hub, clock: Clock, stranger: str, same: str, another: str
) -> None:
    auth = authenticator(door, clock, budget=3)
    guess_from(auth, stranger, times=3)
    for address in (stranger, same):
        with pytest.raises(TooManyUnknownTokens, match="this address"):
            name_of(auth, "hf_alicealice", address=address)
    assert name_of(auth, "hf_alicealice", address=another) == "alice"
    assert name_of(auth, "hf_alicealice", address=stranger) == "alice", "known by now"


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", ""])
def test_behind_a_proxy_there_is_one_budget_for_all(door: Hub, clock: Clock, proxy: str) -> None:
    auth = authenticator(door, clock, budget=3)
    guess_from(auth, proxy, times=6)
    with pytest.raises(TooManyUnknownTokens, match="all clients"):
        name_of(auth, "hf_alicealice", address=proxy)


def test_many_strangers_do_not_make_the_hub_be_asked_without_end(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock, budget=3)
    for number in range(3):
        guess_from(auth, f"192.0.2.{number}", times=2)
    with pytest.raises(TooManyUnknownTokens, match="all clients"):
        name_of(auth, "hf_alicealice", address="192.0.2.9")
    assert len(door.asked) == 6


def test_a_request_comes_from_its_clients_address(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    with serving(hub, tmp_path) as client:
        answers = [
            client.get("/api/hub/market", headers={"Authorization": f"Bearer hf_madeupmadeup{number}"}).json()
            for number in range(25)
        ]
        assert answers[0]["code"] == "token_refused"
        assert answers[-1]["code"] == "too_many_unknown_tokens"
        assert "this address" in answers[-1]["detail"]
        assert client.get("/api/hub/market").status_code == 200


def test_only_allowed_users_may_read(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock, allowed=("acme", "carol"))
    assert name_of(auth, "hf_alicealice") == "alice"
    with pytest.raises(TokenRefused, match="bob"):
        name_of(auth, "hf_bobbobbob")
    assert auth.known_principal(b"Bearer hf_bobbobbob") is None


def test_one_question_for_many_requests_at_once(door: Hub, clock: Clock) -> None:
    auth = authenticator(door, clock)

    async def ask() -> list[str]:
        asked = [auth.authenticate(b"bearer hf_alicealice") for _ in range(20)]
        return [principal.name for principal in await asyncio.gather(*asked)]

    assert asyncio.run(ask()) == ["alice"] * 20
    assert len(door.asked) == 1


@pytest.fixture(scope="module")
def other(hub: HubServer, seeded: Workers) -> str:
    return hub.add_user("carol", role="read")


@pytest.mark.parametrize("url", GUARDED)
def test_data_wants_a_token(client: Client, other: str, url: str) -> None:
    for header, status, code in (
        ({"Authorization": ""}, 401, "token_missing"),
        ({"Authorization": "Bearer hf_nobodynobody"}, 403, "token_refused"),
        ({"Authorization": "Bearer nonsense"}, 403, "token_refused"),
        ({"Authorization": f"Bearer {other}"}, 200, None),
        ({}, 200, None),
    ):
        answer = client.get(url, headers=header)
        assert answer.status_code == status, answer.text
        if code is not None:
            assert answer.json()["code"] == code
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("url", OPEN)
def test_the_rest_is_open(client: Client, url: str) -> None:
    assert client.get(url, headers={"Authorization": ""}).status_code == 200


def test_a_hot_answer_wants_a_token_too(client: Client) -> None:
    for _ in range(3):
        assert client.get("/api/hub/market").status_code == 200
        assert client.get("/api/hub/market", headers={"Authorization": ""}).status_code == 401
        assert client.get("/api/hub/market", headers={"Authorization": "Bearer hf_nobodynobody"}).status_code == 403


def test_tokens_are_in_no_log_and_no_answer(
    hub: HubServer, seeded: Workers, tmp_path: Path, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    caplog.set_level(logging.DEBUG)
    unknown = "hf_neverseenneverseen"
    with serving(hub, tmp_path) as client:
        answers = [
            client.get("/api/hub/market", headers={"Authorization": f"Bearer {token}"}) for token in (other, unknown)
        ]
        answers += [client.get("/metrics"), client.get("/api/health"), client.get(f"/api/hub/market?token={unknown}")]
        hub.stop()
        until(lambda: client.get("/api/hub/health").json()["datasets"]["market"]["stale"])
        answers.append(client.get("/api/hub/market", headers={"Authorization": "Bearer hf_whilethehubisdown"}))
        hub.start()
    assert answers[-1].status_code == 503
    said = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    for token in (hub.token, other, "hf_whilethehubisdown"):
        assert token not in said
