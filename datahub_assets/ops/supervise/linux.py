"""Processes that descend from this one: adopting orphans, signalling groups, collecting the dead.

A *child subreaper* (prctl(2), Linux only) becomes the parent of orphans among its descendants, so that it can end them.
"""

import ctypes
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Make this process the parent of any orphan among its descendants."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def signal_group(group: int, signum: int) -> None:
    """Send a signal to every process of a group; a group without processes is fine."""
    try:
        os.killpg(group, signum)
    except (ProcessLookupError, PermissionError):  # PermissionError: only zombies are left (macOS)
        return


def sweep(pids_to_spare: Iterable[int] = (), *, grace_s: float = 1.0) -> list[int]:
    """Kill whatever still descends from this process, reap it, and say which pids had to be killed."""
    spared = frozenset(pids_to_spare)
    killed: list[int] = []
    deadline = time.monotonic() + grace_s
    while True:
        left = [child for child in psutil.Process().children(recursive=True) if child.pid not in spared]
        if not left or time.monotonic() > deadline:
            return killed
        for child in left:
            if _is_dead(child):
                reap(child.pid)
            elif child.pid not in killed:
                killed.append(child.pid)
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        time.sleep(0.01)


def reap_orphans(own_pids: Iterable[int]) -> None:
    """Collect adopted orphans that have died; the caller's own children are left to the caller."""
    own = frozenset(own_pids)
    for child in psutil.Process().children():
        if child.pid not in own and _is_dead(child):
            reap(child.pid)


def _is_dead(process: psutil.Process) -> bool:
    """Whether it has ended, reaped or not; it may do so between any two looks."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def reap(pid: int) -> None:
    """Collect the exit status of a dead child (an adopted orphan, say), if it is ours to collect."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def other_threads() -> list[str]:
    """Names of the threads the kernel sees in this process beside the main one, native ones included."""
    if sys.platform != "linux":
        return ["unnamed"] * (psutil.Process().num_threads() - 1)
    tasks = Path("/proc/self/task")
    return sorted((task / "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid()))
