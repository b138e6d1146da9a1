"""What every test stands on: no real network, no stray login, no Xet. Fixtures of one room live in that room."""

import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from datahub_system.net.proxies import VARIABLES

# A shell that starts something in the background has it ignore Ctrl-C. Processes that tests start would inherit that,
# and Dagster then has them ignore SIGTERM too.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# huggingface_hub and datasets read these when they are imported, so they are set before any test module is.
_HF_HOME = Path(tempfile.mkdtemp(prefix="datahub-tests-hf-"))
os.environ.update(
    HF_HOME=str(_HF_HOME),
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    DAGSTER_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
)
for _name in [name for name in os.environ if name.startswith(("DATAHUB_", "HF_TOKEN", "HF_API_TOKEN", "HF_ENDPOINT"))]:
    del os.environ[_name]
for _name in VARIABLES:  # a proxy of the person who runs the tests is no matter of theirs
    os.environ.pop(_name, None)

import pytest  # noqa: E402 - the environment comes first
from hypothesis import settings  # noqa: E402

# How long an example takes says more about the machine than about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


pytest_plugins = ["tests.faults.matrix_report"]


class NetworkUsed(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True, scope="session")
def _own_folder() -> Iterator[None]:
    yield
    shutil.rmtree(_HF_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """The same for every test: the commands of the product narrow that of the process they run in."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Any connection but to loopback or a Unix socket fails at once, with the address in the message."""
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = str(address[0])  # type: ignore[index]
            if not (host.startswith("127.") or host in {"::1", "localhost"}):
                raise NetworkUsed(f"a test tried to connect to {address}")
        real_connect(self, address)  # type: ignore[arg-type]

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()
