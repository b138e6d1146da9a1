"""Start a server process on loopback, wait until it answers, stop it; what the servers are is said elsewhere."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil

_STOP_S: Final = 12.0


class NotStarted(Exception):
    """A server did not answer in time or died; the message carries the end of its log."""


def free_port() -> int:
    """A TCP port nobody listened on a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str], ready: Callable[[], bool], timeout_s: float = 120.0
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, from the moment `ready` says so until the block is left; then it and its children are stopped.

    Raises:
        NotStarted: it died or was not ready within `timeout_s`.
    """
    with log.open("ab") as sink:
        process = subprocess.Popen(argv, stdout=sink, stderr=sink, env=dict(env), start_new_session=True)
    try:
        deadline = time.monotonic() + timeout_s
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise NotStarted(f"{Path(argv[0]).name} (exit {process.poll()}): {tail}")
            time.sleep(0.01)
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then end what is left of it and its children."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        if child.is_running():
            child.kill()


def answers(url: str, *, status: int = 200) -> Callable[[], bool]:
    """A readiness check: whether a GET of `url` answers with `status`."""

    def ready() -> bool:
        try:
            return httpx.get(url, timeout=30, trust_env=False).status_code == status
        except httpx.TransportError:
            return False

    return ready


def resident_mb(process: psutil.Process) -> float:
    """Resident memory of a process and its children, MiB."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
