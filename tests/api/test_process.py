"""The API as it is run: a process of its own, which knows nothing of the workers."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from localhub.testing import HubServer
from tests.api.process import process, serving_process
from tests.api.workers import Workers


def test_it_serves_and_stops_at_once(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    with serving_process(hub, tmp_path) as url, httpx.Client(base_url=url, headers=token) as client:
        assert len(client.get("/api/hub/ohlc?symbol=BTCUSDT&limit=7").json()) == 7
        assert client.head("/api/hub/market").headers["content-length"] != "0"
        assert client.get("/api/hub/market", headers={"Authorization": ""}).status_code == 401


def test_a_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    with process({"DATAHUB_HOME": str(tmp_path), "USE_MOCK_DATA": "true"}, "serve") as started:
        said, _ = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "USE_MOCK_DATA" in said
    assert "Traceback" not in said


def test_the_api_does_not_know_dagster() -> None:
    code = "import sys, api.asgi; sys.exit(any(name.partition('.')[0] in {'dagster', 'flask'} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help")])
def test_help_has_an_example(arguments: tuple[str, ...]) -> None:
    with process({}, *arguments) as started:
        said, _ = started.communicate(timeout=60)
    assert started.returncode == 0
    assert "api" in said
