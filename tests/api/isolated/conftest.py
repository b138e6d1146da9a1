"""Each test here has a Hub of its own, to break, stop or rewrite. Tests that only read one share it by the module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.engine.engine import Engine
from api.engine.hub.reader import HubReader
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client
from tests.api.workers import Workers, candles, prices


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def workers(hub: HubServer, tmp_path: Path) -> Iterator[Workers]:
    """Both datasets with a first commit."""
    made = Workers(tmp_path, endpoint=hub.url, token=hub.token)
    made.publish(OHLC, candles())
    made.publish(MARKET, prices())
    yield made
    made.close()


@pytest.fixture
def engine(hub: HubServer, tmp_path: Path) -> Iterator[Engine]:
    """What is below the application, without it: refreshed when the test says so."""
    reader = HubReader(hub.url, token=lambda: hub.token)
    made = Engine(hub=reader, root=tmp_path / "snapshots", endpoint=hub.url, namespace=lambda: "local")
    yield made
    made.close()


def revision(client: Client, url: str = "/api/hub/market") -> str:
    return client.get(url).headers["x-revision"]
