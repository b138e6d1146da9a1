"""The API as it is run: a process of its own, which knows nothing of the workers."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.workers import Workers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m api …` with this environment and nothing inherited that matters."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    started = subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        env=inherited | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)  # its workers too: they hold the pipe
        started.communicate()


@contextmanager
def serving_process(hub: HubServer, home: Path, *, port: int | None = None, **variables: str) -> Iterator[str]:
    """The served API's address, once both datasets are there; it stops by SIGTERM, without a word of tokens."""
    port = port or free_port()
    environ = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "DATAHUB_HOME": str(home),
        "DATAHUB_RATE_LIMIT_PER_MIN": "0",
    }
    with process(environ | variables, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _is_serving(url), timeout_s=60)
        yield url
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=10)
        assert started.returncode == 0, said
        assert hub.token not in said


def _is_serving(url: str) -> bool:
    try:
        status = httpx.get(f"{url}/api/hub/status").json()
    except httpx.TransportError:
        return False
    return bool(status["market_dataset"]["available"] and status["ohlc_dataset"]["available"])


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
