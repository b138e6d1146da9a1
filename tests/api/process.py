"""The API as a process of its own, for tests that need it served."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from localhub.testing import HubServer
from tests.api.conftest import until


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
        wait_until_serving(url)
        yield url
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=10)
        assert started.returncode == 0, said
        assert hub.token not in said


def wait_until_serving(url: str) -> None:
    """Return once both datasets are there."""
    with httpx.Client(base_url=url) as http:
        until(lambda: _is_serving(http), timeout_s=60)


def _is_serving(http: httpx.Client) -> bool:
    try:
        status = http.get("/api/hub/status").json()
    except httpx.TransportError:
        return False
    return bool(status["market_dataset"]["available"] and status["ohlc_dataset"]["available"])
