"""What went wrong with a statement, for its author: DuckDB's message and place, no paths of this machine."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import duckdb

_JSON_ERROR: Final = re.compile(r"^(?P<kind>[A-Z][A-Za-z0-9 ]*Error): (?P<json>\{.*\})\s*$", re.DOTALL)
_EXCERPT: Final = re.compile(r"\n\nLINE \d+:.*", re.DOTALL)
_TRACE: Final = re.compile(r"\s*(?:Stack Trace:|Traceback \(most recent call last\):|At:\n).*", re.DOTALL)
_OWN_PLACES: Final = tuple(
    sorted({path for path in (sys.prefix, sys.base_prefix, *sys.path) if len(path) > 1}, key=len)
)
_ADVICE: Final = re.compile(r"\s*Use \"SET .*", re.DOTALL)  # nobody can SET anything here
_SCAN_BROKE: Final = "reading the stream registered as"
_MOST_CHARS: Final = 2000
_MEMORY: Final = (duckdb.OutOfMemoryException, MemoryError)
_BROKEN: Final = (duckdb.InternalException, duckdb.FatalException)


class Failure(Exception):
    """A statement that failed: a stable code, a message for its author, and where in the statement, if known.

    `position` counts characters from 0, `line` and `column` from 1. After a `fatal` one the worker must not go on.
    """

    def __init__(self, code: str, message: str, *, place: dict[str, int] | None = None, fatal: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.place = place or {}
        self.fatal = fatal

    def to_wire(self) -> dict[str, Any]:
        """As a message to the server."""
        return {"ok": False, "code": self.code, "message": str(self), "fatal": self.fatal, **self.place}


def place_of(sql: str, byte_offset: int | None) -> dict[str, int]:
    """Position, line and column of a byte offset into the statement; empty when it lies outside."""
    encoded = sql.encode()
    if byte_offset is None or not 0 <= byte_offset <= len(encoded):
        return {}
    before = encoded[:byte_offset].decode(errors="ignore")
    return {
        "position": len(before),
        "line": before.count("\n") + 1,
        "column": len(before) - (before.rfind("\n") + 1) + 1,
    }


def failure_of(error: BaseException, *, sql: str, shift: int, locate: Callable[[], int | None]) -> Failure:
    """The failure that an exception of DuckDB or Arrow means.

    Args:
        sql: the caller's text.
        shift: what to add to DuckDB's byte offsets to get offsets into it.
        locate: asked for DuckDB's byte offset of the same fault, when `error` has none.
    """
    if isinstance(error, _MEMORY):
        # What memory ran out for is unknown, so the next statement gets another worker.
        return Failure("sql_memory", "the statement needs more memory than a statement may take", fatal=True)
    if isinstance(error, _BROKEN):
        return Failure("sql_crashed", "the statement broke DuckDB; please simplify it", fatal=True)
    kind, message, offset = _parts_of(str(error))
    if message.startswith(_SCAN_BROKE):
        return Failure("sql_crashed", "the statement broke its worker: it needs too much memory", fatal=True)
    if offset is None and isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        offset = locate()
    return Failure(
        "sql_rejected" if isinstance(error, duckdb.PermissionException) else "sql_invalid",
        clean(f"{kind}: {message}" if kind else message),
        place=place_of(sql, None if offset is None else offset + shift),
    )


def byte_offset_of(error: duckdb.Error) -> int | None:
    """Where DuckDB sees the fault, in the text it was given."""
    return _parts_of(str(error))[2]


def _parts_of(text: str) -> tuple[str, str, int | None]:
    """DuckDB's kind of error, its message and the byte offset it names."""
    found = _JSON_ERROR.match(text)
    if found is not None:
        try:
            fields = json.loads(found["json"])
            position = fields.get("position")
            return found["kind"], str(fields["exception_message"]), None if position is None else int(position)
        except (ValueError, KeyError, TypeError):
            return "", "the statement cannot be run", None
    return "", text, None


def clean(message: str) -> str:
    """The message without traces, excerpts of the statement and places on this machine, bounded in length."""
    message = _ADVICE.sub("", _EXCERPT.sub("", _TRACE.sub("", message)))
    for place in reversed(_OWN_PLACES):
        message = message.replace(place, "…")
    return message.strip()[:_MOST_CHARS] or "the statement cannot be run"
