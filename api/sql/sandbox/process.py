"""One worker process as the server sees it: start it, have it run a statement, kill it.

The worker is not trusted: what it says is read as JSON and Arrow data, bounded and checked, and nothing else.
"""

import asyncio
import base64
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from api.http.errors import SqlError
from api.sql.sandbox import messages
from api.sql.sandbox.errors import PLACED, PLAIN, SqlCrashed, SqlMemory, SqlTimeout, SqlTooLarge, SqlUnavailable
from api.sql.sandbox.fork_client import ForkServerClient
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.snapshot import SqlSnapshot

_START_TIMEOUT_S: Final = 30.0
_SLACK_BYTES: Final = 1024 * 1024
_MEMORY_SIGNALS: Final = {signal.SIGKILL, signal.SIGABRT}
_FileIdentity = tuple[str, str, int, int, int]


@dataclass(frozen=True, slots=True)
class Request:
    """A statement as a worker gets it."""

    sql: str
    params: Sequence[Any] | Mapping[str, Any]
    snapshot: SqlSnapshot
    flat: bool


@dataclass(frozen=True, slots=True)
class WorkerReply:
    """A worker's answer: the Arrow IPC stream and what goes with it."""

    stream: bytearray
    table: pa.Table
    columns: tuple[tuple[str, str], ...]
    tables: tuple[str, ...]
    repeatable: bool
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class _NewFiles:
    """Files a worker is about to be sent: their paths, numbers and sizes, in one order."""

    paths: list[Path] = field(default_factory=list)
    numbers: dict[_FileIdentity, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)


class WorkerProcess:
    """A confined process that answers one statement at a time."""

    def __init__(self, pid: int, sock: socket.socket, fork_server: ForkServerClient) -> None:
        self.pid = pid
        self._sock = sock
        self._fork_server = fork_server
        self._known_keys: set[str] = set()
        self._numbers: dict[_FileIdentity, int] = {}
        self._next_number = 0
        self._status: asyncio.Future[int | None] | None = None
        self.confinement: Mapping[str, str] = {}
        self.resident_bytes = 0
        self.idle_bytes = 0
        self.answered = 0
        self.is_broken = False

    @property
    def grown_bytes(self) -> int:
        """Memory it holds on top of what it held when it was new."""
        return self.resident_bytes - self.idle_bytes

    def is_alive(self) -> bool:
        """Whether the process is there, as far as its socket tells; an idle one has nothing to say."""
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def knows(self, key: str) -> bool:
        """Whether the worker has that snapshot mapped."""
        return key in self._known_keys

    @classmethod
    async def start(cls, fork_server: ForkServerClient, limits: SqlLimits) -> "WorkerProcess":
        """Start a worker and wait until it is confined and warm.

        Raises:
            SqlUnavailable: it did not come up; the message has the end of what it said.
        """
        pid, sock = await asyncio.to_thread(fork_server.spawn)
        sock.settimeout(0)
        worker = cls(pid, sock, fork_server)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await messages.asend(sock, limits.to_wire())
                ready = await messages.areceive(sock)
        except (OSError, TimeoutError) as error:
            await worker.end()
            raise SqlUnavailable(
                f"a SQL worker did not start: {fork_server.stderr_tail() or type(error).__name__}"
            ) from error
        except BaseException:
            await worker.end()
            raise
        worker.confinement = {str(layer): str(state) for layer, state in ready["confinement"].items()}
        worker.idle_bytes = worker.resident_bytes = int(ready["resident"])
        return worker

    async def run(self, request: Request, *, max_bytes: int) -> WorkerReply:
        """Have a statement run. After anything but a `WorkerReply` or a `SqlError` of the statement, end the worker.

        Raises:
            SqlError: what the worker says of the statement.
            WireBroken, OSError: the worker is gone, or not making sense.
        """
        message: dict[str, Any] = {
            "sql": request.sql,
            "params": request.params if isinstance(request.params, Mapping) else list(request.params),
            "flat": request.flat,
            "snapshot": request.snapshot.key,
        }
        new = _NewFiles()
        if not self.knows(request.snapshot.key):
            message["load"] = await asyncio.to_thread(self._plan, request.snapshot, new)
        try:
            await messages.asend(self._sock, message)
        except messages.MessageTooLong:
            raise SqlTooLarge("the statement's values are too long") from None
        try:
            await messages.asend_files(self._sock, new.paths)
        except FileNotFoundError as error:
            self.is_broken = True
            raise SqlUnavailable("a file of the snapshot is not here any more") from error
        self._numbers.update(new.numbers)
        self._known_keys.add(request.snapshot.key)
        return await self._reply(max_bytes)

    async def _reply(self, max_bytes: int) -> WorkerReply:
        head = await messages.areceive(self._sock)
        try:
            self.resident_bytes = int(head["resident"])
            self._forget(head)
            self.is_broken = bool(head.get("fatal"))
            if not head["ok"]:
                raise _typed(head)
            size = int(head["bytes"])
            if not 0 < size <= max_bytes + _SLACK_BYTES:
                raise messages.WireBroken(f"an answer of {size} bytes")
            columns = tuple((str(name), str(kind)) for name, kind in head["columns"])
            tables = tuple(str(name) for name in head["tables"])
            repeatable, elapsed_ms = bool(head["repeatable"]), float(head["elapsed_ms"])
        except (KeyError, TypeError, ValueError) as error:
            raise messages.WireBroken(f"not an answer: {error}") from error
        stream = await messages.areceive_exactly(self._sock, size)
        self.answered += 1
        table = await (asyncio.to_thread(_table, stream) if size > _SLACK_BYTES else _soon(stream))
        return WorkerReply(
            stream=stream, table=table, columns=columns, tables=tables, repeatable=repeatable, elapsed_ms=elapsed_ms
        )

    def kill(self) -> "asyncio.Future[int | None]":
        """Kill the process and everything in its session, now; its exit status, as far as known, is to come."""
        self.is_broken = True
        if self._status is None:
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
            self._status = asyncio.ensure_future(asyncio.to_thread(self._fork_server.reap, self.pid))
        return self._status

    async def end(self) -> int | None:
        """Kill the process, if it is still there, and wait until it is gone; its exit status, as far as known."""
        status = await asyncio.shield(self.kill())
        self._sock.close()
        return status

    async def exit_reason(self) -> SqlError:
        """The exit reason of a worker; one that sent an invalid message is killed first."""
        makes_no_sense = self.is_alive()
        status = await self.end()
        if makes_no_sense:
            return SqlCrashed("the statement gave an answer that nobody can read")
        if status is not None and -status == signal.SIGXCPU:
            return SqlTimeout("the statement took more processor time than a statement may take")
        if status is not None and -status in _MEMORY_SIGNALS:
            return SqlMemory("the statement needs more memory than a statement may take")
        return SqlCrashed("the statement broke its worker: it is too complex, or needs too much memory")

    def _plan(self, snapshot: SqlSnapshot, new: "_NewFiles") -> dict[str, Any]:
        """What `Session` needs to load a snapshot; what is new to the worker is added to `new`."""
        tables: dict[str, Any] = {}
        try:
            for name, table in snapshot.tables.items():
                schema = base64.b64encode(table.schema.serialize().to_pybytes()).decode("ascii")
                numbers = [self._number(name, path, new) for path in table.files]
                tables[name] = {"schema": schema, "files": numbers}
        except OSError as error:
            raise SqlUnavailable(f"a file of the snapshot is not here: {error.strerror}") from error
        return {"tables": tables, "new": [[number, size] for number, size in new.sizes.items()]}

    def _number(self, table: str, path: Path, new: "_NewFiles") -> int:
        status = path.stat()
        identity = (table, str(path), status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._numbers.get(identity) or new.numbers.get(identity)
        if known is not None:
            return known
        self._next_number += 1
        new.numbers[identity] = self._next_number
        new.paths.append(path)
        new.sizes[self._next_number] = status.st_size
        return self._next_number

    def _forget(self, head: Mapping[str, Any]) -> None:
        self._known_keys.difference_update(head.get("forgotten_snapshots", ()))
        gone = set(head.get("forgotten_files", ()))
        if gone:
            self._numbers = {identity: number for identity, number in self._numbers.items() if number not in gone}


def _typed(head: Mapping[str, Any]) -> SqlError:
    code, message = str(head["code"]), str(head["message"])
    if code in PLACED:
        place = {name: int(head[name]) for name in ("position", "line", "column") if name in head}
        return PLACED[code](message, position=place.get("position"), line=place.get("line"), column=place.get("column"))
    return PLAIN.get(code, SqlCrashed)(message)


def _table(stream: bytearray) -> pa.Table:
    try:
        table = pa.ipc.open_stream(pa.py_buffer(stream)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise messages.WireBroken(f"not an Arrow stream: {error}") from error
    return table


async def _soon(stream: bytearray) -> pa.Table:
    return _table(stream)
