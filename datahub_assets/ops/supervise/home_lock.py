"""One `up` per home: a lock the kernel drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datahub_assets.ops.errors import AlreadyRunning

_NAME = "up.lock"


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold the home for as long as the block runs.

    Raises:
        AlreadyRunning: another process holds it; the message names its pid.
    """
    path = home / _NAME
    # Not inherited by children (PEP 446), so that a child that outlives `up` does not keep the home locked.
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"{home} is in use by another `datahub up` (pid {file.read().strip() or 'unknown'}). "
                "Stop that one first, or set DATAHUB_HOME (and the DATAHUB_*_PORT settings) to run a second hub."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def holder(home: Path) -> int | None:
    """Pid of the `up` that runs on this home, None when there is none."""
    path = home / _NAME
    if not path.is_file():
        return None
    with path.open("r", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read().strip() or 0) or None
    return None


def started_ms(home: Path) -> int | None:
    """When the `up` that runs on this home took it (epoch ms), None when there is none."""
    return None if holder(home) is None else (home / _NAME).stat().st_mtime_ns // 1_000_000
