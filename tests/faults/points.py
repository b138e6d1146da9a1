"""Named points of a tick at which a process can be stopped: file, database and network calls, watched from outside.

What happens at a point is the caller's; the product has no switches for this.
"""

import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

Reached = Callable[[str], None]

_CACHE = "cache.sqlite3"
_HUB_CALLS = {
    "whoami": r"GET /api/whoami",
    "head": r"GET /api/datasets/.*/revision/",
    "create": r"POST /api/repos/create",
    "tree": r"GET /api/datasets/.*/tree/",
    "read": r"(GET|HEAD) /datasets/.*/resolve/",
    "card check": r"POST /api/validate-yaml",
    "preupload": r"POST .*/preupload/",
    "lfs batch": r"POST .*/objects/batch",
    "lfs upload": r"PUT /lfs/",
    "commit": r"POST .*/commit/",
}
_STATEMENT = re.compile(r'\s*(BEGIN|COMMIT|ROLLBACK|INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s*"?([\w.]*)')


class Observer:
    """Tells of each point as it is reached: `before …` and `after …`, as long as the patch lasts."""

    def __init__(self, patch: pytest.MonkeyPatch, reached: Reached) -> None:
        self._patch = patch
        self._reached = reached

    def install(self) -> None:
        """From now on every call is a point."""
        self._watch_files()
        self._watch_database()
        self._watch_network()

    def _around(self, name: str | None, call: Callable[[], Any]) -> Any:
        if name is None:
            return call()
        self._reached(f"before {name}")
        result = call()
        self._reached(f"after {name}")
        return result

    def _watch_files(self) -> None:
        real_fsync, real_replace, real_unlink = os.fsync, os.replace, os.unlink

        def fsync(handle: int) -> None:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            self._around(_named("fsync", path), lambda: real_fsync(handle))

        def replace(source: Any, target: Any, **options: Any) -> None:
            self._around(_named("rename", Path(target)), lambda: real_replace(source, target, **options))

        def unlink(path: Any, **options: Any) -> None:
            self._around(_named("unlink", Path(path)), lambda: real_unlink(path, **options))

        self._patch.setattr(os, "fsync", fsync)
        self._patch.setattr(os, "replace", replace)
        self._patch.setattr(os, "unlink", unlink)

    def _watch_database(self) -> None:
        around, real_connect = self._around, sqlite3.connect

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                cursor: sqlite3.Cursor = around(_statement(sql), lambda: super(Watched, self).execute(sql, *values))
                return cursor

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                cursor: sqlite3.Cursor = around(_statement(sql), lambda: super(Watched, self).executemany(sql, *values))
                return cursor

            def close(self) -> None:
                around("close cache", super().close)

        def connect(path: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
            if Path(path).name == _CACHE:
                options["factory"] = Watched
            connection: sqlite3.Connection = real_connect(path, *arguments, **options)
            return connection

        self._patch.setattr(sqlite3, "connect", connect)

    def _watch_network(self) -> None:
        around, reached = self._around, self._reached
        real_send, real_read = httpx2.Client.send, httpx.Response.aiter_bytes
        real_begin = httpx.AsyncHTTPTransport.handle_async_request

        def send(client: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
            called = f"{request.method} {request.url.path}"
            kind = next((kind for kind, pattern in _HUB_CALLS.items() if re.search(pattern, called)), None)
            answer: httpx2.Response = around(kind and f"hub {kind}", lambda: real_send(client, request, **options))
            return answer

        async def begin(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
            answer = await real_begin(transport, request)
            reached(f"first byte of {_asked(request)}")
            return answer

        async def read(answer: httpx.Response, **options: Any) -> AsyncIterator[bytes]:
            async for part in real_read(answer, **options):
                yield part
            reached(f"last byte of {_asked(answer.request)}")

        self._patch.setattr(httpx2.Client, "send", send)
        self._patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", begin)
        self._patch.setattr(httpx.Response, "aiter_bytes", read)


def _asked(request: httpx.Request) -> str:
    """What is asked for: the last word of the path, or the method that is called."""
    if request.method == "POST":
        return str(json.loads(request.content)["method"])
    return next(word for word in reversed(request.url.path.split("/")) if word[:1].isalpha())


def _named(action: str, path: Path) -> str | None:
    """What is done to which kind of file of the home; None for files of others."""
    if path.name.startswith("worker-status"):
        return f"{action} status"
    if path.parent.name == "landing":
        return f"{action} landing folder"
    return f"{action} landing file" if path.parent.parent.name == "landing" else None


def _statement(sql: str) -> str | None:
    """The verb and table of a statement that writes; None for all others."""
    found = _STATEMENT.match(sql)
    if found is None:
        return None
    verb, table = found.groups()
    if verb in {"BEGIN", "COMMIT", "ROLLBACK"}:
        return verb
    return None if table.startswith("temp.") else f"{verb} {table}"
