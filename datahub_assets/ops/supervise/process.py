"""One child process: what it is, how it is started, how long to wait before a restart."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from datahub_system.net.clients import local_status
from datahub_system.processes import die_with_parent, hear

Probe = Callable[[], bool]
_PROBE_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What one process of the stack is.

    Attributes:
        name: as people read it on the terminal and in the name of its log.
        argv, env: command and whole environment. Secrets travel in `env` only.
        ready_line: pattern of an output line that says it serves.      ready: a probe that says so. Either, or none.
        after: names of the processes that must be ready before its first start.
        stop_wave: processes of a lower wave are stopped first.
        terse: what the terminal shows of an output line, None for nothing.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready_line: re.Pattern[str] | None = None
    ready: Probe | None = None
    after: tuple[str, ...] = ()
    stop_wave: int = 0
    terse: Callable[[str], str | None] = lambda _line: None
    cwd: Path | None = None

    def serves(self) -> bool:
        """What the probe says now; a process with neither probe nor ready line serves from its start."""
        return self.ready() if self.ready is not None else self.ready_line is None


@dataclass(slots=True)
class RestartDelay:
    """How long to wait before a restart: doubling from `first_s` to `longest_s`, anew after `stable_s` of good life."""

    first_s: float = 0.5
    longest_s: float = 30.0
    stable_s: float = 120.0
    failures: int = 0

    def after_exit(self, *, lived_s: float) -> float:
        """Seconds to wait after a life of `lived_s` seconds."""
        self.failures = 1 if lived_s >= self.stable_s else self.failures + 1
        return min(self.longest_s, self.first_s * 2.0 ** min(self.failures - 1, 30))


def start(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start it in a session and process group of its own, its output in a pipe that never blocks the reader.

    Its own session keeps the terminal's Ctrl-C from reaching it: we alone decide the order in which things stop.
    """
    parent_pid = os.getpid()
    # preexec_fn is safe here: this process has one thread, and the function makes few system calls.
    process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
        spec.argv,
        env=dict(spec.env),
        cwd=spec.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: _begin(parent_pid),  # noqa: PLW1509
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    os.set_blocking(process.stdout.fileno(), False)
    return process


def _begin(parent_pid: int) -> None:
    """In the child: it hears our polite signal, whatever the shell had us ignore, and ends with us."""
    hear((signal.SIGTERM, signal.SIGINT))
    die_with_parent(parent_pid)


def answers(host: str, port: int, path: str) -> Probe:
    """A probe that holds once an HTTP server answers a GET of `path` with anything but a server error."""

    def probe() -> bool:
        status = local_status(host, port, path, timeout_s=_PROBE_TIMEOUT_S)
        return status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR

    return probe
