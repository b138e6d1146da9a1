"""The warm process: imports what a run needs, then forks a child for each run.

It imports libraries but does not use them: a thread is not copied by a fork, but what it has locked stays locked. So
this process opens no database, has one thread, and `preload` refuses to go on if an import has started another.
"""

import gc
import os
import selectors
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datahub_assets.ops.supervise.linux import other_threads
from datahub_assets.ops.warm.protocol import (
    Launch,
    LaunchReply,
    Look,
    Message,
    Stop,
    check_peer,
    decode,
    encode,
    read_line,
)
from datahub_system.processes import die_with_parent

Work = Callable[[Sequence[str]], int]
"""Does in a child what `dagster api` does with these arguments; gives the exit code."""

IDLE_THREADS = frozenset({"polars-ooc-clea"})
"""Threads an import may start: polars' waits for spill files to delete, holds no lock while it waits, and a run that
never spills never needs it. Those of jemalloc and OpenBLAS are switched off by `ops.environment`."""
READY = "warm server ready"
_STOPS = (signal.SIGTERM, signal.SIGINT)
_TURN_S = 0.5
_LAST_GRACE_S = 3.0
_REQUEST_TIMEOUT_S = 5.0


@dataclass(slots=True)
class Child:
    """A forked run."""

    run_id: str
    pid: int
    started_at: float
    kill_at: float | None = None


class WarmServer:
    """Listens on a Unix socket that only its owner can open; one thread, one request at a time.

    Args:
        work: what a child does.        first: what a child of its own does once the server serves, before any run.
    """

    def __init__(self, path: Path, work: Work, *, first: Callable[[], int] | None = None) -> None:
        self._path = path
        self._work = work
        self._first = first
        self._since = time.time()
        self._children: dict[int, Child] = {}
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT, then end the children and return."""
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signum in _STOPS:
            signal.signal(signum, self._heard_stop)
        self._bind()
        self._listener.listen(16)
        self._listener.settimeout(_REQUEST_TIMEOUT_S)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        _say(READY)
        if self._first is not None:
            self._fork("(what is done at the start)", self._first)
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._end()

    def _bind(self) -> None:
        """Take the path, of mode 600 from the first moment; of what is there only a socket is removed."""
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(self._path.lstat().st_mode):
                self._path.unlink()
        before = os.umask(0o177)
        try:
            self._listener.bind(str(self._path))
        finally:
            os.umask(before)

    def _heard_stop(self, *_: object) -> None:
        self._stopping = True

    def _turn(self) -> None:
        for key, _events in self._selector.select(_TURN_S):
            if key.fileobj is self._wake_read:
                self._wake_read.recv(4096)
            else:
                self._answer()
        self._reap()
        now = time.monotonic()
        for child in self._children.values():
            if child.kill_at is not None and now >= child.kill_at:
                os.kill(child.pid, signal.SIGKILL)

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(_REQUEST_TIMEOUT_S)
            try:
                check_peer(connection)
                message = decode(read_line(connection))
                connection.sendall(encode(self._do(message)))
            except (OSError, ValueError, KeyError, TypeError) as error:
                _say(f"a request could not be served: {error}")

    def _do(self, message: Message) -> LaunchReply:
        if isinstance(message, Launch):
            return self._reply(self._fork(message.run_id, partial(self._work, message.arguments)))
        if isinstance(message, Look):
            child = self._child(message.run_id)
            return self._reply(None if child is None else child.pid)
        if isinstance(message, Stop):
            return self._stop(message)
        raise ValueError(f"not a request: {message!r}")

    def _reply(self, pid: int | None) -> LaunchReply:
        return LaunchReply(pid=pid, since=self._since)

    def _fork(self, run_id: str, work: Callable[[], int]) -> int:
        """Start a child; gives its pid."""
        parent_pid = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # Held back until the child has its own handlers: with the server's, it would shrug a stop off.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_run(work, parent_pid)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        self._children[pid] = Child(run_id=run_id, pid=pid, started_at=time.monotonic())
        return pid

    def _stop(self, stop: Stop) -> LaunchReply:
        child = self._child(stop.run_id)
        if child is None:
            return self._reply(None)
        os.kill(child.pid, signal.SIGTERM)
        child.kill_at = time.monotonic() + stop.grace_s
        return self._reply(child.pid)

    def _child(self, run_id: str) -> Child | None:
        return next((child for child in self._children.values() if child.run_id == run_id), None)

    def _become_run(self, work: Callable[[], int], parent_pid: int) -> None:
        """In the child: forget what is the server's, do the work, end the process. Never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for signum in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(signum, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            # By force, since a run that hangs would ignore a polite signal; a killed run loses nothing (see stores).
            die_with_parent(parent_pid, signum=signal.SIGKILL)
            for own in (self._listener, self._wake_read, self._wake_write):
                own.close()
            self._selector.close()
            code = work()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._children[pid]
                code = os.waitstatus_to_exitcode(status)
                if code:
                    lived_s = time.monotonic() - child.started_at
                    _say(f"run {child.run_id} ended after {lived_s:.1f} s with exit code {code}")

    def _end(self) -> None:
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for child in self._children.values():
            os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + _LAST_GRACE_S
        while self._children and time.monotonic() < deadline:
            self._selector.select(0.05)
            self._reap()
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)


def preload(load: Callable[[], None]) -> None:
    """Import and build once what every run would import and build.

    Raises:
        RuntimeError: something that was imported has started a thread, so that a fork would not be safe.
    """
    started = time.monotonic()
    load()
    unknown = [name for name in other_threads() if name not in IDLE_THREADS]
    if unknown:
        raise RuntimeError(f"imports have started the threads {', '.join(unknown)}: this process must not be forked")
    gc.collect()
    gc.freeze()  # so that the collector of a child does not touch, and thereby copy, the shared pages
    _say(f"loaded in {time.monotonic() - started:.1f} s, {len(sys.modules)} modules")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
