"""A process that works as a run does and is killed at a chosen moment. The code under test knows nothing of it.

A moment is an event of the interpreter: the n-th call of a function, or its n-th return.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.hub.client import Hub
from tests.stores.world import Site, candles, market


@dataclass(frozen=True, slots=True)
class Moment:
    """The `nth` time that a function of this qualified name is called, or returns."""

    function: str
    event: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.event} {self.function}" + (f" #{self.nth}" if self.nth > 1 else "")


@dataclass(frozen=True, slots=True)
class Job:
    """What the process does: one tick of the chain of a dataset."""

    home: Path
    endpoint: str
    token: str
    dataset: str
    now_ms: int


def run_and_die(job: Job, moment: Moment | None) -> int:
    """Run the job in a process of its own; returns its exit code, -9 when it was killed."""
    return _outcome(_work, job, moment)


def open_and_die(path: Path, moment: Moment) -> int:
    """Open the cache in a process of its own; returns its exit code, -9 when it was killed."""
    return _outcome(_open, path, moment)


def _outcome(work: Callable[..., None], *args: object) -> int:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stores.killed"])
    process = context.Process(target=work, args=args)
    process.start()
    process.join(60)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"the process hung: {args}")
    assert process.exitcode is not None
    return process.exitcode


def _work(job: Job, moment: Moment | None) -> None:
    if moment is not None:
        _die_at(moment)
    spec = DATASETS[job.dataset]
    site = Site(job.home, Hub(job.endpoint, job.token))
    frame = market(job.now_ms) if spec.name == "market" else candles(job.now_ms)
    site.tick(spec, frame, now_ms=job.now_ms)


def _die_at(moment: Moment) -> None:
    left = moment.nth

    def happened() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def inside(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "return" and moment.event == "return":
            happened()
        return inside

    def on_call(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_qualname != moment.function:
            return None
        if moment.event == "call":
            happened()
        return inside

    threading.settrace(on_call)
    sys.settrace(on_call)


def _open(path: Path, moment: Moment) -> None:
    _die_at(moment)
    Cache.open(path).close()
