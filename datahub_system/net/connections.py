"""Which connections of a server are closed: those that say nothing, send half a request, stall, or are one too many.

uvicorn times out idle connections only after an answer, and accepts as many as the process has file descriptors for.
Here a connection that keeps the server waiting is closed within seconds, an address has at most a share of all
connections, and when there is no room left, the one that has waited longest makes room for a new one.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from uvicorn.server import ServerState

_EVICTED_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections a server has, and how long each may keep it waiting.

    Attributes:
        total: connections in all.        per_address: of them, for one IPv4 address or IPv6 /64 network.
        head_s: seconds for the first byte of a request, and then for the rest of its head.
        head_bytes: largest request line and headers together; likewise all trailers of a chunked body.
        pipelined: requests of one connection that may wait for the answers to earlier ones.
        websockets: of `per_address`, how many may be WebSockets, which live as long as they like.
        keep_alive_s: seconds an idle connection stays open after an answer.
        stalled_s: seconds a client may take to go on reading, or to begin with a body.
        body_rate: least bytes a second of a body, once `stalled_s` is over.
        linger_s: seconds for a client to notice that it was answered before its body was complete.
    """

    total: int = 1024
    per_address: int = 512
    head_s: float = 10.0
    head_bytes: int = 64 * 1024
    pipelined: int = 16
    websockets: int = 128
    keep_alive_s: float = 120.0
    stalled_s: float = 30.0
    body_rate: float = 500.0
    linger_s: float = 5.0


class Phase(IntEnum):
    """What a connection is at, those that are closed first to make room first."""

    SILENT = 0
    """Nothing came yet, or half of a request's head."""
    IDLE = 1
    """Between two requests."""
    RECEIVING = 2
    """A request's body is not complete."""
    SENDING = 3
    """An answer waits for the client to read."""
    WORKING = 4
    """The application has the request. Never closed to make room."""


class Connection(Protocol):
    """What is asked of a connection here: whose it is, what it is at, and since when."""

    address: str
    since_s: float
    is_upgraded: bool

    @property
    def phase(self) -> Phase:
        """What it is at."""

    def drop(self) -> None:
        """Close it at once."""

    def close_if_overdue(self) -> None:
        """Close it if it has kept the server waiting for too long."""


class Connections(ServerState):
    """All connections of a server; uvicorn hands it to each of them."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__()
        self.limits = limits
        self._of: defaultdict[str, set[Connection]] = defaultdict(set)
        self._count = 0

    def admit(self, connection: Connection) -> bool:
        """Count a new connection, closing others to make room for it; False when none of them can be closed."""
        mine = self._of[connection.address]
        if len(mine) >= self.limits.per_address and not self._make_room(mine):
            return False
        if self._count >= self.limits.total and not self._make_room(max(self._of.values(), key=len)):
            return False
        self._of[connection.address].add(connection)
        self._count += 1
        return True

    def may_upgrade(self, connection: Connection) -> bool:
        """Whether one more connection of this address, and of all, may become a WebSocket."""
        mine = sum(one.is_upgraded for one in self._of.get(connection.address, ()))
        return mine < self.limits.websockets and sum(one.is_upgraded for one in self) < self.limits.total // 2

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        mine = self._of.get(connection.address, set())
        if connection in mine:
            mine.remove(connection)
            self._count -= 1
            if not mine:
                del self._of[connection.address]

    def sweep(self) -> None:
        """Close what has kept the server waiting for too long. To be called about once a second."""
        for connection in [one for some in self._of.values() for one in some]:
            connection.close_if_overdue()

    def __iter__(self) -> Iterator[Connection]:
        for some in self._of.values():
            yield from some

    def __len__(self) -> int:
        return self._count

    def _make_room(self, some: set[Connection]) -> bool:
        """Close the longest waiting connections of the least busy phase among some; whether there was one."""
        least = min(one.phase for one in some)
        if least is Phase.WORKING:
            return False
        candidates = sorted((one for one in some if one.phase is least), key=lambda one: one.since_s)
        for one in candidates[:_EVICTED_AT_ONCE]:
            one.drop()
        return True
