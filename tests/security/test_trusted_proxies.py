"""Proxies in front of the API: which of them name the client, and whom a stranger behind one locks out."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from datahub_assets.domain.errors import SettingsError
from datahub_assets.settings import Settings
from datahub_system.net.forwarded import behind_proxies
from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.workers import Workers


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
