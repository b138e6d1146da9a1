"""One tick in a process of its own that can be told where to die. Started through `multiprocessing`'s fork server."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import datahub_assets
from datahub_assets.settings import Settings
from tests.fakes import Clock
from tests.faults.chain import Chains, hurried
from tests.faults.disk import Disk, Unsynced
from tests.faults.points import Observer
from tests.faults.world import keep_landings

_PRODUCT = str(Path(datahub_assets.__file__).parent)


@dataclass(frozen=True)
class Death:
    """Where to die: at the `nth` time (from 1) a point is reached, or at the `nth` line of the product's own code.

    Attributes:
        point: the name of the point, None for lines.
        cut_to: a power cut: what the disk would hold is copied there at that instant.
    """

    point: str | None
    nth: int
    cut_to: Path | None = None
    unsynced: Unsynced = Unsynced.KEPT


@dataclass(frozen=True)
class TickTask:
    """A tick: with which settings, when, where its landings are kept, and where to note points or to die."""

    environ: Mapping[str, str]
    now_ms: int
    journal: Path
    points_to: Path | None = None
    death: Death | None = None


def run(task: TickTask) -> None:
    """Both chains once, dying where told."""
    settings = Settings.from_env(task.environ)
    clock = Clock(task.now_ms)
    disk, death = Disk(settings.home), task.death
    counts: Counter[str] = Counter()

    def reached(point: str) -> None:
        disk.follow(point)
        counts[point] += 1
        if task.points_to is not None:
            with task.points_to.open("a") as notes:
                notes.write(f"{point}\n")
        if death is not None and (death.point, death.nth) == (point, counts[point]):
            _die(death, disk)

    lines = _Lines(death.nth if death is not None and death.point is None else None, lambda: _die(death, disk))
    with pytest.MonkeyPatch.context() as patch:
        Observer(patch, reached).install()
        keep_landings(patch, task.journal)
        hurried(patch, clock)
        chains = Chains(settings, clock.now_ms)
        lines.install()
        for spec in settings.collected:
            outcome = chains.run_bodies(spec)
            assert outcome.success, outcome.errors
        sys.settrace(None)
    if task.points_to is not None:
        task.points_to.with_suffix(".lines").write_text(str(lines.seen))


def _die(death: Death | None, disk: Disk) -> None:
    if death is not None and death.cut_to is not None:
        disk.cut(death.cut_to, unsynced=death.unsynced)
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # for another thread than the main one, until the signal is delivered


@dataclass
class _Lines:
    """Counts the lines of the product's code that the main thread runs, and calls back at one of them."""

    at: int | None
    reached: Callable[[], None]
    seen: int = 0

    def install(self) -> None:
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, _: object) -> "Callable[..., Any] | None":
        if not frame.f_code.co_filename.startswith(_PRODUCT):
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.at:
                self.reached()
        return self._trace
