"""Gives back the memory that a time of much work took, once it is over."""

import asyncio
import ctypes
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final, Protocol

import pyarrow as pa

_EVERY_S: Final = 20.0
UNUSED_S: Final = 60.0
"""What was not asked for so long is dropped: as long as the newest commit of a dataset lasts by default."""


class Forgetting(Protocol):
    """Keeps things that can be made again."""

    def forget_unused(self, *, for_s: float) -> None:
        """Drop what was not used for so long."""


class MemoryKeeper:
    """A task that drops what is not used, and then has the allocators give back what is free.

    glibc keeps what is freed between blocks in use (malloc_trim(3)); the jemalloc within DuckDB, which has no thread of
    its own, what nobody allocates anew. What polars frees goes back by itself, after seconds.
    """

    def __init__(self, kept: Sequence[Forgetting]) -> None:
        self._kept = kept
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._tidy())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            for one in self._kept:
                one.forget_unused(for_s=UNUSED_S)
            await asyncio.to_thread(give_back)


def give_back() -> None:
    """Have the allocators of this process give what is free back to the system; tens of milliseconds."""
    pa.default_memory_pool().release_unused()
    if _purge is not None:
        _purge(_ALL_ARENAS, None, None, None, 0)
    if _trim is not None:
        _trim(0)


def _function_of(library: str | None, name: str) -> "ctypes._NamedFuncPointer | None":
    """A function of a library that is loaded, None of the program itself; None where it has no such function."""
    return getattr(ctypes.CDLL(library), name, None)


def _native_duckdb() -> str | None:
    """The library within the package of DuckDB."""
    found = find_spec("_duckdb")
    return None if found is None else found.origin


_ALL_ARENAS: Final = b"arena.4096.purge"
"""jemalloc(3): 4096 stands for all arenas."""
_trim: Final = _function_of(None, "malloc_trim")
_purge: Final = _function_of(_native_duckdb(), "duckdb_je_mallctl")
