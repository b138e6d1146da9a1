"""The Hub, the workers and the application of the API's tests; proxies and a service that stand in for the world."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.api.conftest import client, hub, seeded, workers
from tests.fakes.proxy import HttpProxy, SocksProxy
from tests.fakes.server import Answer, LoopbackServer, Request

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
