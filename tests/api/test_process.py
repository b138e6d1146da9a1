"""The API as it is run: a process of its own, which knows nothing of the workers."""

import subprocess
import sys
from pathlib import Path

import httpx
import psutil
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


@pytest.mark.skipif(not psutil.LINUX, reason="what a process has loaded is told by Linux only")
def test_no_answer_makes_it_load_pandas(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {hub.token}"}
    with serving_process(hub, tmp_path) as url, httpx.Client(base_url=url, headers=token, timeout=30) as client:
        for path in ("ohlc?symbol=BTCUSDT", "sql?q=SELECT+[1]+AS+a,*+FROM+market"):
            assert client.get(f"/api/hub/{path}&format=arrow").status_code == 200
        server = next(one for one in psutil.Process().children() if one.cmdline()[1:4] == ["-m", "api", "serve"])
        loaded = [library.path for one in [server, *server.children(recursive=True)] for library in one.memory_maps()]
    assert any("/pyarrow/" in path for path in loaded)
    assert not [path for path in loaded if "/pandas/" in path]


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
