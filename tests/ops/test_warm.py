"""The warm server: it forks, ends and survives children."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datahub_assets.ops.supervise import environment
from datahub_assets.ops.warm.protocol import Launch, LaunchReply, Look, Message, Stop, decode, encode
from datahub_assets.ops.warm.server import IDLE_THREADS
from datahub_assets.settings import Settings
from tests.ops.warm_server import Server, gone

SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="warm-") as name:  # short: a socket's path has 107 bytes at most
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(*command: str, env: dict[str, str] | None = None) -> Server:
        servers.append(Server(folder, *command, env=env))
        return servers[-1]

    yield begin
    for server in servers:
        server.end()


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start("tests.ops.warm_server_process")


@pytest.mark.parametrize(
    "message", [Launch("r", ("a", "b")), Stop("r", 1.5), Look("r"), LaunchReply(7, 2.5), LaunchReply(None)]
)
def test_messages_come_back_as_they_were(message: Message) -> None:
    assert decode(encode(message)) == message


def test_only_its_owner_can_open_the_socket(server: Server) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600


def test_a_child_does_its_work_in_a_process_of_its_own(server: Server, folder: Path) -> None:
    result = folder / "result"
    child = server.launch(f"import os; from pathlib import Path; Path({str(result)!r}).write_text(str(os.getpid()))")
    assert gone(child)
    assert result.read_text() == str(child) != str(server.popen.pid)


def test_a_crash_is_told_and_the_server_goes_on(server: Server) -> None:
    server.launch("import os; os._exit(3)", run_id="crashed")
    assert "run crashed ended after" in server.until("exit code 3")
    assert gone(server.launch("pass"))


def test_a_child_is_stopped_politely(server: Server) -> None:
    child = server.launch(SLEEPS)
    assert server.stop() == child
    assert gone(child)
    assert "exit code -15" in server.until(" ended ")
    assert server.stop() is None


def test_a_child_is_stopped_politely_before_it_has_begun(start: Callable[..., Server]) -> None:
    server = start("tests.ops.warm_server_process", env={"RIG_SLOW_FORK_S": "0.5"})
    child = server.launch(SLEEPS)
    assert server.stop() == child
    assert "exit code -15" in server.until(" ended ")


def test_it_tells_which_of_its_children_live_and_since_when_it_knows_them(start: Callable[..., Server]) -> None:
    before = time.time()
    server = start("tests.ops.warm_server_process")
    child = server.launch(SLEEPS, run_id="r1")
    assert server.look("r1").pid == child
    assert before <= server.look("r1").since <= time.time()
    assert server.look("r2").pid is None
    os.kill(child, signal.SIGKILL)
    server.until("exit code -9")
    assert server.look("r1").pid is None


def test_a_child_that_will_not_stop_is_killed_after_its_grace(server: Server) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    child = server.launch(f"{deaf}; {SLEEPS}")
    server.until("deaf")
    server.stop(grace_s=0.2)
    assert "exit code -9" in server.until(" ended ")
    assert gone(child)


def test_children_end_with_the_server(server: Server) -> None:
    child = server.launch(SLEEPS)
    server.popen.terminate()
    assert server.popen.wait(timeout=10) == 0
    assert gone(child)
    assert not server.path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_children_end_with_a_server_that_is_killed(server: Server) -> None:
    child = server.launch(SLEEPS)
    server.popen.kill()
    assert gone(child)


def test_garbage_does_not_disturb_it(server: Server) -> None:
    for garbage in (b"{}\n", b"no json\n", b"", b'{"kind": "Reply", "pid": 1}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.path))
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""
    assert gone(server.launch("pass"))


def test_what_runs_import_starts_no_threads(tmp_path: Path) -> None:
    environments = environment.build(Settings.from_env({"DATAHUB_HOME": str(tmp_path)}), {"PATH": os.environ["PATH"]})
    code = (
        "import json; from datahub_assets.ops.supervise import linux; "
        "from datahub_assets.ops.warm import dagster_work\n"
        "dagster_work.load('datahub_assets.definitions'); print(json.dumps(linux.other_threads()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environments.forking, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) <= IDLE_THREADS
