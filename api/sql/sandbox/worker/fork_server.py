"""The process that worker processes are forked from: it has imported everything, so that a worker starts within
milliseconds.

It never sees a statement, a file or an answer.
"""

import gc
import os
import socket

from api.sql.sandbox import confinement, messages
from api.sql.sandbox.worker import worker
from api.sql.sandbox.worker.volatile import volatile_functions


def main(descriptor: int) -> None:
    """Serve the socket of that descriptor until the server closes it. Never returns.

    Messages: `spawn`, followed by the descriptor of the worker's socket -> its `pid`; `reap` with the `pid` of one
    that was killed or ended -> its exit `status` (negative: the signal). A pid stays taken until it is reaped.
    """
    sock = socket.socket(fileno=descriptor)
    volatile_functions()  # remembered, so that workers need not find it out
    gc.freeze()  # workers share these pages for good
    confinement.be_last_session()
    try:
        while True:
            message = messages.receive(sock)
            if message["do"] == "spawn":
                messages.send(sock, {"pid": _spawn(sock)})
            else:
                messages.send(sock, {"status": _reap(int(message["pid"]))})
    except (messages.WireBroken, OSError):
        os._exit(0)  # the server is gone, and the workers see that by themselves


def _spawn(sock: socket.socket) -> int:
    theirs = next(messages.receive_descriptors(sock, 1))
    pid = os.fork()
    if pid == 0:
        sock.close()
        os.setpgrp()  # to be killed as a group, and in this session
        worker.main(theirs)
    os.close(theirs)
    return pid


def _reap(pid: int) -> int | None:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return None
