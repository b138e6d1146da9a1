"""The limits of caller SQL as plain numbers that both the server and its workers know."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """What one statement may use.

    Attributes:
        timeout_s: wall time of a statement.
        max_wait_s: longest wait for a free worker.
        memory_mb: memory (MiB) a statement may take on top of what its idle worker holds; enforced by the kernel.
        max_rows, max_bytes: size of an answer (rows; bytes as an Arrow IPC stream).
        max_sql_chars: length of a statement.
        max_waiting, max_waiting_per_caller: statements that may wait for a worker.
    """

    timeout_s: float = 10.0
    max_wait_s: float = 10.0
    memory_mb: int = 512
    max_rows: int = 100_000
    max_bytes: int = 64 * 1024 * 1024
    max_sql_chars: int = 100_000
    max_waiting: int = 64
    max_waiting_per_caller: int = 16

    @property
    def memory_bytes(self) -> int:
        """`memory_mb` in bytes."""
        return self.memory_mb * 1024 * 1024

    def to_wire(self) -> dict[str, Any]:
        """As JSON values, for the worker's first message."""
        return asdict(self)
