"""How a process is told to end: by signals, and with the one that started it."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

_PR_SET_PDEATHSIG = 1
# Loaded once, before any fork: between fork and exec a child must not import or allocate more than it has to.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def handle(signums: Iterable[int], handler: Callable[[int, Any], object]) -> dict[int, Any]:
    """Handle these signals but those that are ignored: `nohup` and the shell's `&` mean that.

    Returns:
        The handlers before, of the signals that are handled now.
    """
    heard = [signum for signum in signums if signal.getsignal(signum) is not signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in heard}


def hear(signums: Iterable[int]) -> None:
    """Have these signals end this process again, though the one that started it ignores them."""
    for signum in signums:
        signal.signal(signum, signal.SIG_DFL)


def die_with_parent(parent_pid: int | None = None, *, signum: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process `signum` when the thread that started it ends, also by SIGKILL (prctl(2)).

    Linux only; elsewhere nothing happens. A change of user undoes it, so call it after that.

    Args:
        parent_pid: the process that must be the parent still; if it is gone already the signal comes at once.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if parent_pid is not None and os.getppid() != parent_pid:
            os.kill(os.getpid(), signum)
