"""Whose datasets are served: as the settings say now, else the token's account's; never just as remembered."""

from pathlib import Path

import pytest

from api.engine import engine
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.stores.hub.client import Hub
from localhub.testing import HubServer
from tests.api.conftest import Client, serving, until
from tests.api.workers import Workers, candles, prices


@pytest.fixture
def other(hub: HubServer) -> str:
    """The token of another account."""
    return hub.add_user("other")


def publish(hub: HubServer, home: Path, *, token: str, account: str) -> str:
    """Both datasets in an account; the sha of the prices' commit."""
    home.mkdir()
    workers = Workers(home, endpoint=hub.url, token=token)
    workers.hub = Hub(hub.url, token, account)
    workers.publish(OHLC, candles(count=3))
    sha = workers.publish(MARKET, prices())
    workers.close()
    return sha


def served(client: Client) -> str | None:
    """The commit that answers; none while the datasets of an account have not been read yet."""
    revision: str | None = client.get("/api/hub/market?limit=1").headers.get("x-revision")
    return revision


@pytest.fixture
def shas(hub: HubServer, other: str, tmp_path: Path) -> dict[str, str]:
    """What each account has; the first one's was served by an earlier process."""
    found = {
        "local": publish(hub, tmp_path / "one", token=hub.token, account="local"),
        "other": publish(hub, tmp_path / "two", token=other, account="other"),
    }
    with serving(hub, tmp_path / "home") as client:
        assert served(client) == found["local"]
    return found


def once_known(client: Client, url: str) -> int:
    """The status once the index of commits is whole; until then nobody can say that there is no such commit."""
    until(lambda: client.get(url).status_code != 503)
    return client.get(url).status_code


def test_a_changed_account_in_the_settings_counts(hub: HubServer, shas: dict[str, str], tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home", HF_USERNAME="other") as client:
        assert served(client) == shas["other"]
        dataset = client.get("/api/hub/status").json()["market_dataset"]
        assert "other/" in str(dataset)
    hub.stop()
    with serving(hub, tmp_path / "home", HF_USERNAME="local") as client:
        assert served(client) == shas["local"]


def test_the_token_of_another_account_counts(hub: HubServer, other: str, shas: dict[str, str], tmp_path: Path) -> None:
    with serving(hub, tmp_path / "home", HF_TOKEN=other) as client:
        client.headers["Authorization"] = f"Bearer {other}"
        until(lambda: served(client) == shas["other"])
        rows = client.get(f"/api/hub/market?revision={shas['other']}")
        assert rows.status_code == 200
        assert once_known(client, f"/api/hub/market?revision={shas['local']}") == 404


def test_a_commit_of_the_account_before_is_answered_no_more_however_often_it_was(
    hub: HubServer, other: str, shas: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_ASK_OWNER_EVERY_S", 2.0)
    hub.faults.answer(500, error="down", on="GET /api/whoami-v2", times=2)
    with serving(hub, tmp_path / "home", HF_TOKEN=other) as client:
        client.headers["Authorization"] = f"Bearer {other}"
        pinned = f"/api/hub/market?revision={shas['local']}"
        assert [client.get(pinned).status_code for _ in range(2)] == [200, 200]
        until(lambda: served(client) == shas["other"])
        assert once_known(client, pinned) == 404


def test_while_the_hub_cannot_be_asked_the_account_is_the_last_one(
    hub: HubServer, shas: dict[str, str], tmp_path: Path
) -> None:
    hub.faults.answer(500, error="down", on="GET /api/whoami-v2", times=1)
    with serving(hub, tmp_path / "home") as client:
        assert served(client) == shas["local"]
        until(lambda: client.get("/api/hub/health").json()["datasets"]["market"]["hub_seen_age_s"] is not None)
