"""A Hub of their own for the tests of this room."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datahub_assets.stores.hub import Hub
from localhub.testing import HubServer
from tests.stores.world import Site


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HubServer]:
    """The embedded Hub, running."""
    with HubServer(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def hub(server: HubServer) -> Hub:
    """Its owner's datasets."""
    return Hub(server.url, server.token)


@pytest.fixture
def new_site(tmp_path: Path, server: HubServer) -> Callable[[str], Site]:
    """Installations that write to it."""
    return lambda name: Site(tmp_path / name, Hub(server.url, server.token))


@pytest.fixture
def site(new_site: Callable[[str], Site]) -> Site:
    """One installation."""
    return new_site("site")
