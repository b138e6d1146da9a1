"""What can become of a caller's SQL, each outcome typed once, with its HTTP status.

DataHubError
└── SqlError
    ├── SqlInvalid        400  DuckDB cannot parse, bind or evaluate the statement; carries the place
    ├── SqlUnknownTable   400  there is no such table; carries the place
    ├── SqlRejected       403  a statement, file or function that is not open to callers; carries the place
    ├── SqlTimeout        408  over the time limit; the worker was killed
    ├── SqlTooLarge       413  more rows or bytes than an answer may have, or too long a statement
    ├── SqlMemory         413  over the memory limit
    ├── SqlCrashed        413  the statement broke its worker (too deeply nested, too complex)
    ├── SqlBusy           429  no worker came free in time; carries retry_after_s
    └── SqlUnavailable    503  no worker can be started, or the snapshot's files cannot be read
"""

import math
from collections.abc import Mapping

from api.http.errors import SqlError
from datahub_assets.domain.errors import Terminal, Transient


class SqlPlaced(SqlError):
    """An error that may know its place in the statement: `position` counts from 0, `line` and `column` from 1."""

    def __init__(
        self, message: str, *, position: int | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message if line is None else f"{message} (line {line}, column {column})")
        self.position = position
        self.line = line
        self.column = column


class SqlInvalid(Terminal, SqlPlaced):
    """DuckDB cannot parse, bind or evaluate the statement; the message is DuckDB's."""

    code = "sql_invalid"
    status = 400
    title = "The statement is not valid"


class SqlUnknownTable(Terminal, SqlPlaced):
    """There is no table of that name; the message lists those there are."""

    code = "sql_unknown_table"
    status = 400
    title = "There is no such table"


class SqlRejected(Terminal, SqlPlaced):
    """The statement reaches for something that is not open to callers; the message names it and what is open."""

    code = "sql_rejected"
    status = 403
    title = "The statement is not allowed"


class SqlTimeout(Transient, SqlError):
    """The statement ran longer than DATAHUB_SQL_TIMEOUT_S; its worker was killed."""

    code = "sql_timeout"
    status = 408
    title = "The statement takes too long"


class SqlTooLarge(Terminal, SqlError):
    """The answer has more rows or bytes than allowed, or the statement itself is too long."""

    code = "sql_too_large"
    status = 413
    title = "The statement or its answer is too large"


class SqlMemory(Terminal, SqlError):
    """The statement needs more memory than DATAHUB_SQL_MEMORY_MB."""

    code = "sql_memory"
    status = 413
    title = "The statement needs too much memory"


class SqlCrashed(Terminal, SqlError):
    """The statement broke its worker process; another one took its place."""

    code = "sql_crashed"
    status = 413
    title = "The statement is too complex"


class SqlBusy(Transient, SqlError):
    """All workers are taken. `retry_after_s` says when to try again."""

    code = "sql_busy"
    status = 429
    title = "All SQL workers are busy"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        """When to try again."""
        return {"Retry-After": str(math.ceil(self.retry_after_s))}


class SqlUnavailable(Transient, SqlError):
    """No worker can be started, or the snapshot's files cannot be read; the statement is not to blame."""

    code = "sql_unavailable"
    status = 503
    title = "SQL is not available now"


PLACED: dict[str, type[SqlPlaced]] = {kind.code: kind for kind in (SqlInvalid, SqlUnknownTable, SqlRejected)}
PLAIN: dict[str, type[SqlError]] = {kind.code: kind for kind in (SqlTooLarge, SqlMemory, SqlCrashed, SqlUnavailable)}
