"""A real Hub with commits made by the product's publisher, and the real application over it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.asgi import create_app_with
from api.engine.create import create_engine
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.registry import DATASETS
from datahub_assets.settings import Settings
from localhub.testing import HubServer
from tests.api.workers import Workers, candles, example, prices

Client = TestClient[Litestar]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def workers(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    made = Workers(tmp_path_factory.mktemp("workers"), endpoint=hub.url, token=hub.token)
    yield made
    made.close()


@pytest.fixture(scope="module")
def seeded(workers: Workers) -> Workers:
    """All datasets with a first commit: 100 candles of two pairs in three intervals, four coins, a row of others."""
    for interval in ("1h", "4h", "1d"):
        workers.publish(OHLC, candles(interval=interval))
    workers.publish(MARKET, prices())
    for spec in DATASETS.values():
        if spec not in {MARKET, OHLC}:
            workers.publish(spec, example(spec))
    return workers


@contextmanager
def serving(
    hub: HubServer,
    home: Path,
    *,
    wait_ready: bool = True,
    names: Iterable[str] = (MARKET.name, OHLC.name),
    **variables: str,
) -> Iterator[Client]:
    """The application on that Hub, with the owner's token as a client would have it."""
    environ = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "DATAHUB_HOME": str(home),
        "DATAHUB_DATASETS": "market,ohlc",
        "DATAHUB_POLL_S": "0.2",
        "DATAHUB_RATE_LIMIT_PER_MIN": "0",
    }
    settings = Settings.from_env(environ | variables)
    engine = create_engine(settings)
    app = create_app_with(settings, engine)
    with TestClient(app) as client:
        if wait_ready:
            until(lambda: client.get("/api/hub/status").json()["status"] != "unavailable" and _both(client))
            # Rows are served before the history of their repo is known, which revisions need; and those of the account
            # that was served last before it is known whether the token is another's, whose datasets come then.
            until(
                lambda: all(one.is_ready and one.commits.reaches(one.current.sha) for one in map(engine.dataset, names))
            )
        client.headers["Authorization"] = f"Bearer {hub.token}"
        yield client


def _both(client: Client) -> bool:
    status = client.get("/api/hub/status").json()
    return bool(status["market_dataset"]["available"] and status["ohlc_dataset"]["available"])


@pytest.fixture(scope="module")
def client(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The application, over both seeded datasets."""
    with serving(hub, tmp_path_factory.mktemp("home"), names=DATASETS) as client:
        yield client


def until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Wait for a condition; fail when it does not come about in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come about"
        time.sleep(0.02)
