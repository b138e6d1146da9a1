"""A Hub for the tests of this room: one server a module, an account a test, so that tests never meet."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.stores.filled_repo import fill
from tests.stores.world import Site

_ACCOUNTS = count(1)


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """The embedded Hub, running."""
    with HubServer(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def server(module_server: HubServer) -> Iterator[HubServer]:
    """The same, well behaved at first and again afterwards."""
    module_server.faults.seen.clear()
    yield module_server
    module_server.faults.clear()


@pytest.fixture
def hub(server: HubServer) -> Hub:
    """The datasets of a new account on it."""
    return Hub(server.url, server.add_user(f"account-{next(_ACCOUNTS)}"))


@pytest.fixture
def new_site(tmp_path: Path, hub: Hub) -> Callable[[str], Site]:
    """Installations that write to that account."""
    return lambda name: Site(tmp_path / name, hub)


@pytest.fixture
def site(new_site: Callable[[str], Site]) -> Site:
    """One installation."""
    return new_site("site")


@pytest.fixture
def filled(site: Site) -> Site:
    """An installation whose repo has candles in sealed files, a gap and corrections."""
    return fill(site)
