"""Starts processes in order, restarts what dies, stops all in time, from one thread."""

import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import psutil

from datahub_assets.ops.supervise.linux import adopt_orphans, reap_orphans, sweep
from datahub_assets.ops.supervise.logs import FailureNotice, LogFile, Redactor
from datahub_assets.ops.supervise.process import ProcessSpec, RestartDelay
from datahub_assets.ops.supervise.supervised import Say, State, Supervised
from datahub_system.processes import handle

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TURN_S = 0.2
WAVE_S = 4.0
"""How long a wave may take to stop by itself; two waves and the sweep stay within the promised 10 s."""
_WAKE_BYTES = 4096
_REAP_EVERY_S = 5.0


class Supervisor:
    """Watches a stack of processes from one thread until it is told to stop.

    Args:
        logs: folder of the log files.      say: prints a short line for people.
        on_ready: called once, when all processes have become ready for the first time.
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        logs: Path,
        say: Say,
        redact: Redactor,
        on_ready: Callable[[], None] = lambda: None,
        backoff: Callable[[], RestartDelay] = RestartDelay,
        wave_s: float = WAVE_S,
    ) -> None:
        self._wave_s = wave_s
        self._say = say
        self._on_ready = on_ready
        notice = FailureNotice(logs, lambda line: say("datahub", line), clock=time.monotonic)
        self._all = [
            Supervised(
                spec,
                log=LogFile(logs, spec.name, on_failure=notice),
                say=say,
                redact=redact,
                backoff=backoff(),
            )
            for spec in specs
        ]
        self._stop_signal: int | None = None
        self._was_ready = False
        self._next_reaping = 0.0
        self._spared = frozenset[int]()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()

    def run(self) -> None:
        """Keep everything running until a stop signal comes, then stop everything. Call it from the main thread."""
        adopt_orphans()
        self._spared = frozenset(child.pid for child in psutil.Process().children(recursive=True))
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        handled = handle(STOP_SIGNALS, self._heard)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        try:
            while self._stop_signal is None:
                self._turn(time.monotonic())
        finally:
            self._stop_all()
            signal.set_wakeup_fd(-1)
            for signum in handled:  # there is nothing left to stop, so a late Ctrl-C is no news
                signal.signal(signum, signal.SIG_IGN)
            self._selector.close()
            self._wake_read.close()
            self._wake_write.close()

    def stop(self) -> None:
        """Ask `run` to end, from a signal handler or another thread."""
        self._stop_signal = signal.SIGTERM
        self._wake_write.send(b"\0")

    def pids(self) -> dict[str, int]:
        """Pid of every running process, by name."""
        return {one.spec.name: one.process.pid for one in self._all if one.process is not None}

    def _heard(self, signum: int, _frame: FrameType | None) -> None:
        if self._stop_signal is not None:  # a second Ctrl-C: somebody is in a hurry
            for one in self._all:
                one.stop(signal.SIGKILL)
        self._stop_signal = signum

    def _turn(self, now: float) -> None:
        for one in self._all:
            if one.process is not None and not one.alive:
                self._unwatch(one)
                one.reap(now)
        ready = frozenset(one.spec.name for one in self._all if one.state is State.READY)
        for one in self._all:
            if one.may_start(now, ready):
                one.launch(now)
                self._watch(one)
        for one in self._all:
            if one.state is State.STARTING:
                one.check_ready(now)
        if not self._was_ready and all(one.state is State.READY for one in self._all):
            self._was_ready = True
            self._on_ready()
        if now >= self._next_reaping:
            self._next_reaping = now + _REAP_EVERY_S
            reap_orphans([*self._spared, *self.pids().values()])
        self._pump(_TURN_S)

    def _pump(self, timeout_s: float) -> None:
        now = time.monotonic()
        for key, _events in self._selector.select(timeout_s):
            if isinstance(key.data, Supervised):
                if not key.data.take_output(now):
                    self._unwatch(key.data)
            else:
                self._wake_read.recv(_WAKE_BYTES)

    def _watch(self, one: Supervised) -> None:
        if one.process is not None and one.process.stdout is not None:
            self._selector.register(one.process.stdout, selectors.EVENT_READ, data=one)

    def _unwatch(self, one: Supervised) -> None:
        if (
            one.process is not None
            and one.process.stdout is not None
            and one.process.stdout in self._selector.get_map()
        ):
            self._selector.unregister(one.process.stdout)

    def _stop_all(self) -> None:
        started = time.monotonic()
        for wave in sorted({one.spec.stop_wave for one in self._all}):
            running = [one for one in self._all if one.spec.stop_wave == wave and one.process is not None]
            for one in running:
                one.stop(signal.SIGTERM)
            deadline = time.monotonic() + self._wave_s
            while any(one.alive for one in running) and time.monotonic() < deadline:
                self._pump(0.05)
            for one in running:
                if one.alive:
                    self._say(one.spec.name, f"did not stop within {self._wave_s:.0f} s, killed")
                one.stop(signal.SIGKILL)
        for one in self._all:
            self._unwatch(one)
            one.close()
        left = sweep(self._spared)
        note = f" ({len(left)} leftover processes killed)" if left else ""
        self._say("datahub", f"stopped in {time.monotonic() - started:.1f} s{note}")
