"""The life of one supervised process: started, ready, dead, started again."""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from enum import Enum

from datahub_assets.ops.supervise.linux import signal_group
from datahub_assets.ops.supervise.logs import LineSplitter, LogFile, Redactor, plain
from datahub_assets.ops.supervise.process import ProcessSpec, RestartDelay, start

_PROGRESS_EVERY_S = 5.0
_READ_BYTES = 65_536
_FINAL_READS = 64
_REAP_S = 2.0

Say = Callable[[str, str], None]
"""Takes the name of a process and a short line about it."""


class State(Enum):
    """Where a process is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DOWN = "down"


class Supervised:
    """One process under supervision: its state, its output, its next start."""

    def __init__(self, spec: ProcessSpec, *, log: LogFile, say: Say, redact: Redactor, backoff: RestartDelay) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.process: subprocess.Popen[bytes] | None = None
        self._log = log
        self._say = say
        self._redact = redact
        self._backoff = backoff
        self._splitter = LineSplitter()
        self._started_at = 0.0
        self._next_start = 0.0
        self._next_progress = 0.0
        self._last_line = ""

    @property
    def alive(self) -> bool:
        """Whether its process runs. A dead one is not reaped here, so that its group's number stays its own."""
        if self.process is None or self.process.returncode is not None:
            return False
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def may_start(self, now: float, ready: frozenset[str]) -> bool:
        """Whether it is time to start it."""
        if self.state is State.WAITING:
            return ready.issuperset(self.spec.after)
        return self.state is State.DOWN and now >= self._next_start

    def launch(self, now: float) -> None:
        """Start the process."""
        self.process = start(self.spec)
        self.state = State.STARTING
        self._started_at = now
        self._next_progress = now + _PROGRESS_EVERY_S
        self._log.write(f"--- started, pid {self.process.pid} ---")

    def check_ready(self, now: float) -> None:
        """Ask its probe, and tell the waiting person something now and then."""
        if self.spec.serves():
            self._became_ready(now)
        elif now >= self._next_progress:
            self._next_progress = now + _PROGRESS_EVERY_S
            self._say(self.spec.name, f"still starting ({now - self._started_at:.0f} s)")

    def take_output(self, now: float) -> bool:
        """Read what it has written; False at the end of its output."""
        if self.process is None or self.process.stdout is None:
            return False
        try:
            data = os.read(self.process.stdout.fileno(), _READ_BYTES)
        except BlockingIOError:
            return True
        for line in self._splitter.feed(data) if data else self._splitter.flush():
            self._take_line(self._redact(plain(line)), now)
        return bool(data)

    def reap(self, now: float) -> None:
        """Note that it died: kill what is left of its group, and set the time of its next start."""
        if self.process is None:
            return
        signal_group(self.process.pid, signal.SIGKILL)
        for _ in range(_FINAL_READS):
            if not _has_output(self.process) or not self.take_output(now):
                break
        code = self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        wait_s = self._backoff.after_exit(lived_s=now - self._started_at)
        self.state = State.DOWN
        self._next_start = now + wait_s
        self._log.write(f"--- {how} ---")
        last = f": {self._last_line[-160:]}" if code > 0 and self._last_line else ""
        self._say(self.spec.name, f"{how}{last}; again in {wait_s:.1f} s (log: {self._log.path})")
        self._forget()

    def stop(self, signum: int) -> None:
        """Send a signal to its whole group."""
        if self.process is not None:
            signal_group(self.process.pid, signum)

    def close(self) -> None:
        """Reap it, and close its pipe and its log. It has been killed before."""
        if self.process is not None:
            self.process.wait(timeout=_REAP_S)
        self._forget()
        self._log.close()

    def _forget(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        self._splitter = LineSplitter()

    def _take_line(self, line: str, now: float) -> None:
        self._log.write(line)
        if line.strip():
            self._last_line = line.strip()
        if self.state is State.STARTING and self.spec.ready_line is not None and self.spec.ready_line.search(line):
            self._became_ready(now)
        short = self.spec.terse(line)
        if short is not None:
            self._say(self.spec.name, short)

    def _became_ready(self, now: float) -> None:
        self.state = State.READY
        self._say(self.spec.name, f"ready after {now - self._started_at:.1f} s")


def _has_output(process: subprocess.Popen[bytes]) -> bool:
    """Whether its pipe still has something to read at once."""
    if process.stdout is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return bool(selector.select(0))
