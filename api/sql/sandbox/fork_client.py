"""The server's end of the fork server: starts it, has it fork workers, and asks it how they ended.

Everything here blocks; call it in threads.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, Final

import api
from api.sql.sandbox import messages
from api.sql.sandbox.errors import SqlUnavailable

_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from datahub_system.interpreter import leave_out_pandas; leave_out_pandas(); "
    "from api.sql.sandbox.worker.fork_server import main; main(int(sys.argv[2]))"
)
_ROOT: Final = str(Path(api.__file__).resolve().parent.parent)
# All that workers inherit. No token, no home, no proxy; one-threaded libraries, so that all threads start confined.
_ENVIRONMENT: Final = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "2",
    "HOME": "/nonexistent",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "4",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TZ": "UTC",
}
_ANSWER_TIMEOUT_S: Final = 60.0
_STDERR_TAIL_CHARS: Final = 2000


class ForkServerClient:
    """Starts the process that workers are forked from when first needed, and again if it is gone. Safe to share by
    threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._stderr: IO[bytes] | None = None

    def spawn(self) -> tuple[int, socket.socket]:
        """A new worker: its pid and our end of its socket.

        Raises:
            SqlUnavailable: no process can be started; the message has the end of what it said.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._lock:
                sock = self._started()
                messages.send(sock, {"do": "spawn"})
                socket.send_fds(sock, [b"f"], [theirs.fileno()])
                return int(messages.receive(sock)["pid"]), ours
        except OSError as error:
            ours.close()
            said = self.stderr_tail()
            self.close()
            raise SqlUnavailable(f"no SQL worker can be started: {said or error}") from error
        finally:
            theirs.close()

    def reap(self, pid: int) -> int | None:
        """Wait for the end of a worker that was killed; its exit status, None when it is not known any more."""
        with self._lock:
            if self._sock is None:
                return None
            try:
                messages.send(self._sock, {"do": "reap", "pid": pid})
                status = messages.receive(self._sock)["status"]
            except OSError:
                return None
        return None if status is None else int(status)

    def stderr_tail(self) -> str:
        """The end of what the fork server and its workers wrote to standard error before they were confined."""
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace").strip()[-_STDERR_TAIL_CHARS:]

    def close(self) -> None:
        """End the fork server. Workers that are still there end when their sockets are closed."""
        process = self._process
        if process is not None:
            process.kill()  # first, so that nobody who holds the lock waits for it any longer
        with self._lock:
            self._process = None
            for opened in (self._sock, self._stderr):
                if opened is not None:
                    opened.close()
            self._sock = self._stderr = None
        if process is not None:
            process.wait()

    def _started(self) -> socket.socket:
        if self._sock is not None:
            return self._sock
        ours, theirs = socket.socketpair()
        ours.settimeout(_ANSWER_TIMEOUT_S)
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the fork server
        try:
            self._process = _start(theirs, stderr)
        except OSError:
            ours.close()
            stderr.close()
            raise
        finally:
            theirs.close()
        self._sock, self._stderr = ours, stderr
        return ours


def _start(sock: socket.socket, stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    environment: dict[str, Any] = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-I", "-c", _BOOT, _ROOT, str(sock.fileno())],
        env=environment | _ENVIRONMENT,
        cwd="/",
        pass_fds=(sock.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )
