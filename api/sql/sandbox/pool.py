"""The entry to callers' SQL: runs a statement in a confined worker within its limits."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from api.http.errors import SqlError
from api.sql.sandbox.errors import SqlBusy, SqlTimeout, SqlTooLarge, SqlUnavailable
from api.sql.sandbox.fork_client import ForkServerClient
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.messages import WireBroken
from api.sql.sandbox.process import Request, WorkerProcess, WorkerReply
from api.sql.sandbox.queue import QueueFull, WorkerQueue
from api.sql.sandbox.snapshot import SqlSnapshot
from datahub_assets.settings import Settings

_LOG: Final = logging.getLogger(__name__)
_RETIRE_AFTER: Final = 10_000
_WORN_SHARE: Final = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_RETRY_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class SqlResult:
    """The answer to a statement, whole and bounded.

    Attributes:
        table: the rows; only types that every format knows (see `columns`).
        stream: the same as an Arrow IPC stream.
        columns: (name, DuckDB type) in order.
        tables: names of the snapshot's tables the statement reads.
        repeatable: whether the same statement gives the same answer at the same commits, so that it may be cached.
        elapsed_ms: time the worker took.
    """

    table: pa.Table
    stream: bytearray
    columns: tuple[tuple[str, str], ...]
    tables: tuple[str, ...]
    repeatable: bool
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class PoolState:
    """What the pool does now, and has done: for metrics and health."""

    running: int
    waiting: int
    ready: int
    answered: int
    replaced: int
    confinement: Mapping[str, str]


class SandboxPool:
    """Workers for caller SQL; an async context manager. Safe to use from one event loop."""

    def __init__(self, limits: SqlLimits, *, workers: int = 2) -> None:
        self.limits = limits
        self.size = workers + 1
        """Number of workers: `width`, plus one spare."""
        self._queue: WorkerQueue[WorkerProcess] = WorkerQueue(
            width=workers,
            max_waiting=limits.max_waiting,
            max_waiting_per_caller=limits.max_waiting_per_caller,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._fork_server = ForkServerClient()
        self._alive: set[WorkerProcess] = set()
        self._confinement: Mapping[str, str] = {}
        self._start_error: SqlUnavailable | None = None
        self._answered = 0
        self._replaced = 0
        self._begun = False
        self._closing = False
        self._hurry = asyncio.Event()

    @classmethod
    def of(cls, settings: Settings) -> "SandboxPool":
        """A pool with the limits and the workers the settings name."""
        limits = SqlLimits(
            timeout_s=settings.sql_timeout_s,
            memory_mb=settings.sql_memory_mb,
            max_rows=settings.sql_max_rows,
            max_bytes=settings.sql_max_bytes,
        )
        return cls(limits, workers=settings.sql_workers)

    def start(self) -> None:
        """Start the workers in the background, if that has not begun yet; the first statement does so too."""
        if not self._begun:
            self._begun = True
            for _ in range(self.size):
                self._in_background(self._supply())

    async def close(self) -> None:
        """Kill all workers and wait until they are gone. Statements that run or wait are told so."""
        self._closing = True
        self._queue.abandon(SqlUnavailable("the server is shutting down"))
        for worker in self._alive:
            worker.kill()
        self._hurry.set()
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(worker.end() for worker in self._alive))
        self._alive.clear()
        await asyncio.to_thread(self._fork_server.close)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def workers(self) -> frozenset[WorkerProcess]:
        """The worker processes there are now."""
        return frozenset(self._alive)

    @property
    def free(self) -> frozenset[WorkerProcess]:
        """Those of them that run nothing."""
        return frozenset(self._queue.free)

    @property
    def state(self) -> PoolState:
        """The pool now."""
        return PoolState(
            running=self._queue.running,
            waiting=self._queue.waiting,
            ready=len(self._queue.free),
            answered=self._answered,
            replaced=self._replaced,
            confinement=self._confinement,
        )

    async def run(
        self,
        sql: str,
        params: Sequence[Any] | Mapping[str, Any] = (),
        *,
        snapshot: SqlSnapshot,
        caller: str = "",
        flat: bool = False,
    ) -> SqlResult:
        """Run one read-only statement over the snapshot's tables.

        Args:
            sql: the caller's text, unchecked.
            params: bound to `?` and `$1` (a sequence) or `$name` (a mapping); JSON values.
            snapshot: the tables.
            caller: who asks; one caller's statements do not keep another's waiting.
            flat: structs and lists, but those of texts, come as JSON text, for formats without nesting.

        Raises:
            SqlError: see `errors`; each kind has its HTTP status and code.
        """
        if len(sql) > self.limits.max_sql_chars:
            raise SqlTooLarge(f"the statement has {len(sql):,} characters; {self.limits.max_sql_chars:,} are allowed")
        worker = await self._worker_for(caller, snapshot.key)
        keep = False
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                reply = await worker.run(
                    Request(sql=sql, params=params, snapshot=snapshot, flat=flat), max_bytes=self.limits.max_bytes
                )
            keep = True
        except SqlError:  # of the statement; the worker is well
            keep = True
            raise
        except TimeoutError:
            raise SqlTimeout(f"the statement took longer than {self.limits.timeout_s:g} s and was stopped") from None
        except (WireBroken, OSError) as error:
            if self._closing:
                raise SqlUnavailable("the server is shutting down") from error
            raise await worker.exit_reason() from error
        finally:
            self._give_back(worker, caller, keep=keep)
        self._answered += 1
        return _result(reply)

    async def _worker_for(self, caller: str, key: str) -> WorkerProcess:
        self.start()
        if self._closing or (self._start_error is not None and not self._alive):
            raise self._start_error or SqlUnavailable("the server is shutting down")

        def choose(free: list[WorkerProcess]) -> WorkerProcess:
            """The one used last that has the snapshot mapped, or just the one used last."""
            return next((worker for worker in reversed(free) if worker.knows(key)), free[-1])

        try:
            async with asyncio.timeout(self.limits.max_wait_s):
                while True:
                    worker = await self._queue.acquire(caller, choose)
                    if worker.is_alive():
                        return worker
                    self._give_back(worker, caller, keep=False)  # it died while it was idle
        except QueueFull:
            raise SqlBusy("too many statements wait already; try again later", retry_after_s=_RETRY_AFTER_S) from None
        except TimeoutError:
            raise SqlBusy(
                f"no worker came free within {self.limits.max_wait_s:g} s; try again later",
                retry_after_s=_RETRY_AFTER_S,
            ) from None

    def _give_back(self, worker: WorkerProcess, caller: str, *, keep: bool) -> None:
        worn = worker.answered >= _RETIRE_AFTER or worker.grown_bytes > self.limits.memory_bytes * _WORN_SHARE
        if keep and not worn and not worker.is_broken and not self._closing:
            self._queue.release(caller, worker)
            return
        self._replaced += 1
        worker.kill()
        self._in_background(self._replace(worker, caller))

    async def _replace(self, worker: WorkerProcess, caller: str) -> None:
        """Keep the caller's place until the replacement worker is ready, so that only that caller waits for it."""
        await worker.end()
        self._alive.discard(worker)
        fresh = await self._started()
        self._queue.release(caller, fresh)
        if fresh is None:
            await self._supply()

    async def _supply(self) -> None:
        """Add one worker, trying until it comes up."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing:
            worker = await self._started()
            if worker is not None:
                self._queue.add(worker)
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _started(self) -> WorkerProcess | None:
        """A new worker; None when it does not come up, or is not wanted any more."""
        if self._closing:
            return None
        try:
            worker = await WorkerProcess.start(self._fork_server, self.limits)
        except SqlUnavailable as error:
            _LOG.error("%s", error)
            self._start_error = error
            return None
        if self._closing:
            await worker.end()
            return None
        self._start_error = None
        self._note(worker.confinement)
        self._alive.add(worker)
        return worker

    def _note(self, confinement: Mapping[str, str]) -> None:
        """Remember what the system lets workers give up, and say so once: an operator should know what is missing."""
        if confinement != self._confinement:
            missing = [f"{layer}: {state}" for layer, state in confinement.items() if state.startswith("no")]
            level = logging.WARNING if missing else logging.INFO
            _LOG.log(level, "SQL workers are confined by %s", missing or "all layers")
        self._confinement = confinement

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _result(reply: WorkerReply) -> SqlResult:
    return SqlResult(
        table=reply.table,
        stream=reply.stream,
        columns=reply.columns,
        tables=reply.tables,
        repeatable=reply.repeatable,
        elapsed_ms=reply.elapsed_ms,
    )
