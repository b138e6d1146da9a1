"""The Hub, the workers and the application of the API's tests; proxies and a service that stand in for the world."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from localhub.testing import HubServer
from tests.api.conftest import client, hub, seeded, workers
from tests.api.process import serving_process
from tests.api.workers import Workers
from tests.fakes.proxy import HttpProxy, SocksProxy
from tests.fakes.server import Answer, LoopbackServer, Request
from tests.security.dagster_ui import DagsterUi

__all__ = ("client", "hub", "seeded", "workers")


@dataclass
class Service:
    """A server that remembers what it was asked; what it answers may be set by path."""

    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    port: int = 0

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers.get(request.path, Answer.of({}))

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def far_url(self) -> str:
        """The same by a name that only the proxies know."""
        return f"http://far.test:{self.port}"


@pytest.fixture
def service_of() -> Iterator[Callable[[], Service]]:
    servers: list[LoopbackServer] = []

    def make() -> Service:
        service = Service()
        server = LoopbackServer(service.answer)
        server.start()
        servers.append(server)
        service.port = server.port
        return service

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def service(service_of: Callable[[], Service]) -> Service:
    return service_of()


@pytest.fixture
def other(service_of: Callable[[], Service]) -> Service:
    return service_of()


@pytest.fixture
def http_proxy() -> Iterator[HttpProxy]:
    with HttpProxy() as proxy:
        yield proxy


@pytest.fixture
def socks_proxy() -> Iterator[SocksProxy]:
    with SocksProxy() as proxy:
        yield proxy


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="dh-") as name:
        yield Path(name)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, shared by all as /tmp is, with nothing in it."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="tmp-") as name:
        Path(name).chmod(0o1777)
        monkeypatch.setattr("tempfile.tempdir", name)
        yield Path(name)


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture(params=["long", "50%", "what?", "c#"])
def elsewhere(request: pytest.FixtureRequest, short: Path) -> Path:
    """A home whose own path cannot hold the sockets."""
    return short / ("d" * 120 if request.param == "long" else request.param)


@pytest.fixture(scope="module")
def url(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUi]:
    """Listens on loopback, as by default; that the API may be asked for under any name changes nothing."""
    with DagsterUi(tmp_path_factory.mktemp("home"), DATAHUB_ALLOWED_HOSTS="*") as ui:
        yield ui
