"""What a tree of processes costs: CPU seconds and memory, by what each process does; nothing is started here."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

RUNS = "runs"
"""The processes that execute Dagster runs."""

_ROLES = (
    ("-m api", "API"),
    ("-m localhub", "embedded Hub"),
    ("dagster", "Dagster"),
    ("datahub_assets.ops.warm", "Dagster"),
)


def tree(root: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants that still live."""
    return [root, *root.children(recursive=True)]


def role(process: psutil.Process) -> str:
    """What a process of the product is for, told from its command line; runs are told from their parent's."""
    words = " ".join(process.cmdline())
    parent = process.parent()
    if "execute_run" in words or (
        parent is not None and "ops.warm" in words and "ops.warm" in " ".join(parent.cmdline())
    ):
        return RUNS
    return next((name for mark, name in _ROLES if mark in words), "supervisor")


def cpu_s(root: psutil.Process) -> float:
    """CPU seconds the tree has used so far, those of processes that ended included."""
    total = 0.0
    for process in tree(root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb(root: psutil.Process, *, measure: Callable[[psutil.Process], int]) -> dict[str, float]:
    """MiB by role; `measure` gives the bytes of one process."""
    found: dict[str, float] = {}
    for process in tree(root):
        try:
            name, size = role(process), measure(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        found[name] = found.get(name, 0.0) + size / 2**20
    return found


def resident(process: psutil.Process) -> int:
    """Resident bytes; pages shared with others count in full."""
    return int(process.memory_info().rss)


def proportional(process: psutil.Process) -> int:
    """Resident bytes; a page shared by n processes counts 1/n, so that a sum counts it once."""
    return int(process.memory_full_info().pss)


def anonymous(process: psutil.Process) -> int:
    """Resident bytes that are in no file; a page shared by n processes counts 1/n. Mapped files, which the system may
    drop at any time, do not count (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))


def anonymous_mb(root: psutil.Process) -> float:
    """MiB of the process and all its descendants that are in no file."""
    total = 0
    for process in tree(root):
        try:
            total += anonymous(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 2**20


@contextmanager
def peak_of_runs_mb(root: psutil.Process, *, every_s: float = 0.2) -> Iterator[list[float]]:
    """Sample the resident memory of all run processes together during the block; the list holds the peak so far."""
    peak = [0.0]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(every_s):
            peak[0] = max(peak[0], memory_mb(root, measure=resident).get(RUNS, 0.0))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
