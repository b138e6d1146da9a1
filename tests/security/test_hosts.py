"""Names in a `Host` header: this machine's are answered, another site's never, which is what DNS rebinding needs."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from datahub_system.net.hosts import OwnHosts
from tests.api.conftest import until
from tests.api.process import free_port, process
from tests.localhub.process import HubProcess

OURS = ["127.0.0.1", "127.0.0.1:7860", "localhost", "LOCALHOST:80", "localhost.", "a.localhost", "[::1]", "[::1]:7860"]
OURS += ["192.168.1.7:3000", "10.1.2.3", "[fe80::1]", "hub.example", "a.b.wide.example:443"]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:7870", "wide.example"]
FOREIGN += [
    "[::1",
    "::1",
    "[evil.example]",
    "a b",
    "@127.0.0.1",
    "127.0.0.1@evil.example",
    "localhost:80:80",
    "localhost:x",
]
FOREIGN += ["", ":80", "evil.example#localhost", "xlocalhost", "hub.example.evil.example"]


@pytest.mark.parametrize("host", OURS)
def test_our_own_names(host: str) -> None:
    assert host in OwnHosts(["hub.example", "*.wide.example"])


@pytest.mark.parametrize("host", FOREIGN)
def test_names_of_others(host: str) -> None:
    assert host not in OwnHosts(["hub.example", "*.wide.example"])


def test_any_name_when_told_so() -> None:
    assert "evil.example" in OwnHosts(["*"])
    assert "[::1" not in OwnHosts(["*"]), "what is no name at all is refused still"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where the served API and Hub are, by a path that both answer without a token."""
    folder, port = tmp_path_factory.mktemp("hosts"), free_port()
    with HubProcess(folder / "hub", "--allowed-host", "hub.example") as hub:
        environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(folder / "home")}
        with process({**environ, "DATAHUB_ALLOWED_HOSTS": "hub.example"}, "serve", "--port", str(port)):
            urls = {"API": f"http://127.0.0.1:{port}/docs", "Hub": f"{hub.url}/api/datasets"}
            until(lambda: _answers(urls["API"]), timeout_s=60)
            yield urls


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("server", ["API", "Hub"])
def test_the_servers_answer_to_their_own_names_only(servers: dict[str, str], server: str) -> None:
    url = servers[server]
    for host in ("hub.example", "localhost:1", "10.0.0.1"):
        assert httpx.get(url, headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "hub.example.evil.example"):
        answer = httpx.get(url, headers={"Host": host})
        assert answer.status_code == 421, host
        assert host in answer.json()["detail"]


@pytest.mark.parametrize("server", ["API", "Hub"])
def test_two_hosts_are_none(servers: dict[str, str], server: str) -> None:
    url = httpx.URL(servers[server])
    with socket.create_connection((url.host, url.port), timeout=20) as connection:
        connection.sendall(f"GET {url.path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".encode())
        assert connection.recv(100).split()[1] in {b"400", b"421"}


def test_names_are_compared_in_any_spelling() -> None:
    assert "HUB.example." in OwnHosts([" hub.Example. "])
