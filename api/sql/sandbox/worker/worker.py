"""The worker process: confines itself, then answers statements one after the other until the server closes the socket.

This is the only place where a caller's SQL is looked at. The server must never import it.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from api.memory import give_back
from api.sql.sandbox import confinement, messages
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.worker.session import Session
from datahub_system.processes import die_with_parent

_THREADS: Final = 2
"""That work on a statement: DuckDB's one, and Arrow's, which filters what the next batches are made of."""
_GIVEN_BACK_FROM_BYTES: Final = 16 * 1024 * 1024
"""A worker that has grown by less keeps what it holds: it will need it again."""


def main(descriptor: int) -> None:
    """Serve the socket of that descriptor. Never returns: the process ends with the server, or with a broken statement.

    It ends at once: interpreters take long to tear down, and some libraries complain meanwhile.
    """
    sock = socket.socket(fileno=descriptor)
    try:
        _serve(sock)
    except (messages.WireBroken, OSError):
        os._exit(0)  # the server is gone
    os._exit(1)


def _serve(sock: socket.socket) -> None:
    limits = SqlLimits(**messages.receive(sock))
    gauge = confinement.MemoryGauge.open()
    confinement.be_last()
    session, report = _confined(limits, gauge)
    idle_bytes = gauge.resident_bytes()
    messages.send(sock, {"ready": True, "confinement": report, "resident": idle_bytes})
    fatal = False
    while not fatal:
        message = messages.receive(sock)
        confinement.limit_cpu(seconds=limits.timeout_s * _THREADS)
        answer, payload, fatal = session.answer(message, lambda count: messages.receive_descriptors(sock, count))
        messages.send(sock, answer | {"resident": gauge.resident_bytes()}, memoryview(payload) if payload else b"")
        del message, answer, payload
        if gauge.resident_bytes() > idle_bytes + _GIVEN_BACK_FROM_BYTES:
            give_back()


def _confined(limits: SqlLimits, gauge: confinement.MemoryGauge) -> tuple[Session, dict[str, str]]:
    """A warm session in a process that has given up everything else, and what it could give up."""
    session = Session(limits)
    report = {"threads": _threads(), "privileges": confinement.drop_privileges(), "files": confinement.close_files()}
    die_with_parent(signum=signal.SIGKILL)  # after the privileges, whose change undoes it
    session.seal()
    session.warm_up()
    report["system_calls"] = confinement.close_system_calls()
    session.warm_up()
    report["memory"] = confinement.limit_resources(data_bytes=gauge.data_bytes() + limits.memory_bytes)
    return session, report


def _threads() -> str:
    """How many threads there are, as the system counts them: Landlock binds only those started after it."""
    tasks = Path("/proc/self/task")
    return str(len(list(tasks.iterdir()))) if tasks.is_dir() else "unknown"


if __name__ == "__main__":
    main(int(sys.argv[1]))
