"""A Hub with as many commits as it keeps: 1,440 a day of each dataset, for eight days."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from localhub.store import repos
from localhub.store.home import Home
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.process import free_port, process
from tests.api.workers import Workers, candles, prices
from tests.localhub.old_commits import publish_day

_DAYS, _COMMITS = 8, 1440
_LIMIT_S = 5.0
_ROWS = {MARKET.name: "/api/hub/market?limit=1", OHLC.name: "/api/hub/ohlc?symbol=BTCUSDT&limit=1"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_api_serves_it_and_knows_all_of_it_within_seconds(tmp_path: Path) -> None:
    with HubServer(tmp_path / "hub") as hub:
        workers = Workers(tmp_path, endpoint=hub.url, token=hub.token)
        _publish(workers, seed=0)
        workers.close()
    _publish_for_days(hub.home)
    with hub:
        workers = Workers(tmp_path, endpoint=hub.url, token=hub.token)
        workers.now_ms += 600_000
        heads = _publish(workers, seed=1)
        workers.close()
        port = free_port()
        environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path / "api")}
        asked = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {hub.token}"})
        began_s = time.monotonic()
        with process(environ, "serve", "--port", str(port)), asked as client:
            for name, head in heads.items():
                until(lambda: _serves(client, name, head), timeout_s=120)  # noqa: B023 - done before the next turn
            served_s = time.monotonic() - began_s
            until(lambda: all(_commits(client, name) > _DAYS * _COMMITS for name in heads), timeout_s=120)
            known_s = time.monotonic() - began_s
    print(f"served after {served_s:.1f} s, all commits known after {known_s:.1f} s")  # noqa: T201 - to be read
    assert served_s <= _LIMIT_S
    assert known_s <= _LIMIT_S


def _publish(workers: Workers, *, seed: int) -> dict[str, str]:
    """A commit of each dataset, by its name."""
    return {
        MARKET.name: workers.publish(MARKET, prices(at_ms=workers.now_ms)),
        OHLC.name: workers.publish(OHLC, candles(seed=seed)),
    }


def _publish_for_days(path: Path) -> None:
    home = Home(path)
    begin = datetime.now(UTC) - timedelta(days=_DAYS)
    for spec in (MARKET, OHLC):
        with home.database.write() as con:
            repo = repos.find(con, kind="dataset", namespace="local", name=spec.repo_name)
        assert repo is not None
        for number in range(_DAYS):
            publish_day(home, repo, begin + timedelta(days=number), count=_COMMITS)
    home.close()


def _serves(client: httpx.Client, dataset: str, head: str) -> bool:
    try:
        return bool(client.get(_ROWS[dataset]).headers.get("x-revision") == head)
    except httpx.TransportError:
        return False


def _commits(client: httpx.Client, dataset: str) -> int:
    return int(client.get(f"/api/hub/revisions?dataset={dataset}&limit=1").json()["commits"])
