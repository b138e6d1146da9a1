"""Starts errands in processes of their own, forked from one that has imported everything and run nothing."""

from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.tick_process import Death, TickTask, run
from tests.faults.world import World

SIGKILLED = -9
LIMIT_S = 60


def start(world: World, *, death: Death | None = None, points_to: Path | None = None) -> BaseProcess:
    """A tick of the world in another process."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.tick_process"])
    task = TickTask(world.environ, world.clock.now_ms(), world.journal, points_to, death)
    process = context.Process(target=run, args=(task,))
    process.start()
    return process


def send(world: World, *, death: Death | None = None, points_to: Path | None = None) -> int | None:
    """A tick of the world in another process, waited for; its exit code."""
    process = start(world, death=death, points_to=points_to)
    process.join(LIMIT_S)
    assert not process.is_alive()
    return process.exitcode
