"""A Hub for the simulated days."""

import pytest

from localhub.testing import HubServer


@pytest.fixture
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    return HubServer(tmp_path_factory.mktemp("hub"))
