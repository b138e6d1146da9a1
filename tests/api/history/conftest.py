"""A history of commits, and the API over it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles, prices

URL = "/api/hub/ohlc?symbol=BTCUSDT&interval=1h&limit=1000"
INFO = "/api/hub/dataset-info"


@dataclass(frozen=True)
class History:
    """Commits of the candles, oldest first, with the number of rows each holds, and a commit of the prices."""

    commits: tuple[tuple[str, int], ...]
    market: str


@pytest.fixture(scope="module")
def history(workers: Workers) -> History:
    commits = []
    for step in range(6):
        until_ms = NOW_MS + step * HOUR_MS
        sha = workers.publish(OHLC, candles(("BTCUSDT",), count=50 + step, until_ms=until_ms))
        commits.append((sha, 50 + step))
    return History(tuple(commits), workers.publish(MARKET, prices()))


@pytest.fixture(scope="module")
def client(hub: HubServer, history: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(hub, tmp_path_factory.mktemp("home")) as client:
        # The repos' own first commits are among them. A list that still grows would change under the tests.
        for dataset, commits in (("ohlc", len(history.commits) + 1), ("market", 2)):
            until(lambda: client.get(f"/api/hub/revisions?dataset={dataset}").json()["commits"] >= commits)  # noqa: B023
        yield client
