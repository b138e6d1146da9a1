"""The clients this project makes: which requests they send through a proxy, and what of them a redirect takes along."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import huggingface_hub
import pytest
from huggingface_hub import close_session

from api.engine.hub.reader import HubReader
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.errors import HubUnavailable, SourceUnavailable
from datahub_assets.ops.supervise.process import answers
from datahub_assets.sources.http import Http
from datahub_assets.stores.hub import http as hub_http
from datahub_assets.stores.hub.client import Hub
from datahub_system.net import clients, hub_sessions
from datahub_system.net.proxies import Proxies
from localhub.testing import HubServer
from localhub.webhook import Webhook
from tests.fakes.proxy import HttpProxy, SocksProxy
from tests.fakes.server import Answer
from tests.security.conftest import Service

SECRETS = {
    "Authorization": "Bearer hf_topsecret",
    "x-cg-demo-api-key": "topsecret",
    "x-cg-pro-api-key": "topsecret",
    "X-Webhook-Secret": "topsecret",
    "X-MBX-APIKEY": "topsecret",
    "Cookie": "session=topsecret",
    "X-Of-Tomorrow": "topsecret",
}
Ask = Callable[[str, dict[str, str]], int]


def ask(url: str, headers: dict[str, str]) -> int:
    with clients.client(timeout=5, follow_redirects=True) as client:
        return client.get(url, headers=headers).status_code


def ask_async(url: str, headers: dict[str, str]) -> int:
    async def once() -> int:
        async with clients.async_client(timeout=5, follow_redirects=True) as client:
            return (await client.get(url, headers=headers)).status_code

    return asyncio.run(once())


def ask_as_library(url: str, headers: dict[str, str]) -> int:
    with hub_sessions.HubSession() as session:
        return session.get(url, headers=headers).status_code


def ask_as_library_async(url: str, headers: dict[str, str]) -> int:
    async def once() -> int:
        async with hub_sessions.AsyncHubSession() as session:
            return (await session.get(url, headers=headers)).status_code

    return asyncio.run(once())


ASKERS = [ask, ask_async, ask_as_library, ask_as_library_async]


@pytest.fixture(params=ASKERS, ids=lambda asker: asker.__name__)
def asker(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_secret_follows_a_redirect_to_another_origin(
    asker: Ask, service: Service, other: Service, status: int
) -> None:
    service.answers["/"] = Answer(status=status, headers={"location": f"{other.url}/there"})
    assert asker(f"{service.url}/", {**SECRETS, "Range": "bytes=0-9", "User-Agent": "us"}) == 200
    (first,), (second,) = service.requests, other.requests
    assert {name.lower() for name in SECRETS} <= set(first.headers), "where they are meant for they are sent"
    assert second.path == "/there"
    assert "topsecret" not in str(second.headers)
    assert second.headers["range"] == "bytes=0-9"
    assert second.headers["user-agent"] == "us"


def test_secrets_stay_on_the_way_within_an_origin_and_are_gone_after_a_detour(
    asker: Ask, service: Service, other: Service
) -> None:
    service.answers["/"] = Answer(status=307, headers={"location": "/next"})
    service.answers["/next"] = Answer(status=307, headers={"location": f"{other.url}/away"})
    other.answers["/away"] = Answer(status=307, headers={"location": f"{service.url}/back"})
    assert asker(f"{service.url}/", {"Authorization": "Bearer hf_topsecret", "X-Webhook-Secret": "topsecret"}) == 200
    held = {request.path: "topsecret" in str(request.headers) for request in [*service.requests, *other.requests]}
    assert held == {"/": True, "/next": True, "/away": False, "/back": False}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("http://hub.example/", "https://hub.example/", True),
        ("http://hub.example:80/", "https://hub.example:443/", True),
        ("http://hub.example:8080/", "https://hub.example/", False),
        ("http://hub.example/", "https://hub.example:8443/", False),
        ("https://hub.example/", "http://hub.example/", False),
        ("http://hub.example/", "https://www.hub.example/", False),
        ("https://hub.example/", "https://hub.example:443/", True),
    ],
)
def test_only_the_step_up_to_https_is_no_other_origin(first: str, second: str, *, kept: bool) -> None:
    request = httpx.Request("GET", first, headers={"X-Webhook-Secret": "topsecret"})
    clients.keep_secrets_home(request)
    followed = httpx.Request("GET", second, headers=request.headers, extensions=request.extensions)
    clients.keep_secrets_home(followed)
    assert ("x-webhook-secret" in followed.headers) == kept


def test_cookies_are_not_kept(asker: Ask, service: Service) -> None:
    service.answers["/"] = Answer(status=307, headers={"location": "/next", "set-cookie": "id=1; Path=/"})
    asker(f"{service.url}/", {})
    assert "cookie" not in service.requests[-1].headers


def test_a_netrc_adds_nothing(asker: Ask, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login joe password topsecret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    asker(f"{service.url}/", {})
    assert "authorization" not in service.requests[0].headers


@pytest.mark.parametrize("kind", ["http_proxy", "socks_proxy"])
def test_what_is_far_goes_through_the_proxy_and_what_is_here_does_not(
    asker: Ask, service: Service, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy: HttpProxy | SocksProxy = request.getfixturevalue(kind)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "fd00::/8,[fd00::1]:8080,10.0.0.0/8,::1,*:nonsense")
    assert asker(f"{service.far_url}/far", {}) == 200
    for host in ("127.0.0.1", "127.1", "localhost"):
        assert asker(f"http://{host}:{service.port}/here", {"Authorization": "Bearer hf_topsecret"}) == 200
    assert proxy.asked == [("far.test", service.port)]
    assert b"topsecret" not in proxy.heard
    assert [request.path for request in service.requests] == ["/far", "/here", "/here", "/here"]


def test_each_step_of_a_redirect_goes_its_own_way(
    asker: Ask, service: Service, other: Service, http_proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", http_proxy.url)
    monkeypatch.setenv("NO_PROXY", "near.test")
    service.answers["/"] = Answer(status=302, headers={"location": f"{other.far_url}/far"})
    other.answers["/far"] = Answer(status=302, headers={"location": f"{service.url}/home"})
    assert asker(f"{service.url}/", {}) == 200
    assert http_proxy.asked == [("far.test", other.port)]
    assert [request.path for request in service.requests] == ["/", "/home"]


@pytest.mark.parametrize("kind", ["http_proxy", "socks_proxy"])
def test_tls_goes_through_a_tunnel(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody speaks TLS there; what counts is that the proxy was asked for a tunnel and saw nothing of the request."""
    proxy: HttpProxy | SocksProxy = request.getfixturevalue(kind)
    service = request.getfixturevalue("service")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with pytest.raises(httpx.TransportError):
        ask(f"https://far.test:{service.port}/", {"Authorization": "Bearer hf_topsecret"})
    assert proxy.asked == [("far.test", service.port)]
    assert b"topsecret" not in proxy.heard


def test_what_belongs_to_the_stack_is_direct_wherever_it_listens(
    http_proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def connect(_: socket.socket, address: tuple[str, int]) -> None:
        asked.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setenv("HTTP_PROXY", http_proxy.url)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(httpx.ConnectError):
        clients.get("http://192.0.2.1:7860/api/health", timeout=1, headers={}, direct=True)
    assert not answers("192.0.2.1", 3000, "/")()
    assert asked == [("192.0.2.1", 7860), ("192.0.2.1", 3000)]


def test_the_webhook_is_direct(service: Service, http_proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", http_proxy.url)
    webhook = Webhook(f"{service.url}/hook", secret="topsecret")
    webhook._deliver({"event": "test"})
    webhook.close()
    assert [request.headers["x-webhook-secret"] for request in service.requests] == ["topsecret"]
    assert http_proxy.asked == []


async def _fetch(url: str) -> int:
    async with Http() as http:
        return (await http.get(url)).status


def test_failures_name_the_proxy_and_not_its_password(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    with HttpProxy(authorization="Basic am9lOmh1bnRlcjIy") as proxy:  # joe:hunter22
        place = proxy.url.removeprefix("http://")
        monkeypatch.setenv("HTTP_PROXY", f"http://joe:wrong-one@{place}")
        with pytest.raises(
            SourceUnavailable, match=rf"far\.test:\d+ cannot be reached through the proxy http://{place}"
        ):
            asyncio.run(_fetch(f"{service.far_url}/"))
        hub = Hub(service.far_url, "hf_topsecret", "me")
        close_session()  # another test's session knows another environment, which in a product does not change
        with pytest.raises(HubUnavailable, match=rf"through the proxy http://{place} \(HTTP_PROXY\): HTTP 407"):
            hub.head(MARKET)
        close_session()
        monkeypatch.setenv("HTTP_PROXY", f"http://joe:hunter22@{place}")
        assert asyncio.run(_fetch(f"{service.far_url}/")) == 200
    with pytest.raises(SourceUnavailable, match=f"through the proxy http://{place}") as caught:
        asyncio.run(_fetch(f"{service.far_url}/"))
    assert "hunter22" not in str(caught.value)
    reader = HubReader(service.far_url, token=lambda: "hf_topsecret")
    with pytest.raises(HubUnavailable, match=rf"did not answer through the proxy http://{place}"):
        reader.head("me/repo")
    reader.close()


def test_an_unreadable_no_proxy_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "_warned", set())
    monkeypatch.setenv("NO_PROXY", "a.example,what?ever")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert clients.environment_proxies() == Proxies.from_env({"NO_PROXY": "a.example,what?ever"})
    assert [record.message.split(";")[0] for record in caplog.records] == ["NO_PROXY: cannot read what?ever, ignored"]


READS = """
import json, sys
from datahub_assets.stores.hub.client import Hub
Hub(sys.argv[1], sys.argv[2])
from datasets import load_dataset
from huggingface_hub import HfApi
name = HfApi(endpoint=sys.argv[1], token=sys.argv[2]).whoami()["name"]
rows = load_dataset(sys.argv[3], split="train", token=sys.argv[2]).num_rows
streamed = sum(1 for _ in load_dataset(sys.argv[3], split="train", streaming=True, token=sys.argv[2]))
print(json.dumps([name, rows, streamed]))
"""


def test_huggingface_hub_and_datasets_ask_a_hub_of_this_machine_directly(tmp_path: Path, http_proxy: HttpProxy) -> None:
    with HubServer(tmp_path / "hub") as server:
        api = huggingface_hub.HfApi(endpoint=server.url, token=server.token)
        repo = api.create_repo("table", repo_type="dataset").repo_id
        api.upload_file(path_or_fileobj=b"a\n1\n2\n", path_in_repo="a.csv", repo_id=repo, repo_type="dataset")
        variables = {
            **os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"),
            "HTTP_PROXY": http_proxy.url, "HTTPS_PROXY": http_proxy.url, "NO_PROXY": "[fd00::1]:80,fd00::/8",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", READS, server.url, server.token, repo],
            env=variables, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f'["{repo.partition("/")[0]}", 2, 2]'
    assert http_proxy.hosts & {"127.0.0.1", "localhost"} == set()
    assert server.token.encode() not in http_proxy.heard


def test_the_library_has_our_sessions_before_its_first_call() -> None:
    Hub("http://127.0.0.1:9", None)
    assert isinstance(huggingface_hub.get_session(), hub_http._BoundedSession)
