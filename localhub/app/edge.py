"""Around the whole application: what is refused before routing, the headers every answer has, and the end of errors."""

import contextlib
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datahub_system.net.headers import repeated

MAX_PATH_BYTES = 16 * 1024
MAX_QUERY_BYTES = 16 * 1024
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def at_the_edge(app: ASGIApp) -> ASGIApp:
    """`app`, which sees only requests that make sense, and the path before percent-decoding.

    Routes match that path, since a revision or path sent as one segment may hold an encoded `/`. An exception that gets
    this far was logged and answered by `failures.broken`; the server would only log it again.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        fault = _fault(scope)
        if fault is not None:
            status, error = fault
            headers = {"X-Error-Message": error, "Connection": "close"}
            await JSONResponse({"error": error}, status, headers)(scope, receive, send_with_headers)
            return
        with contextlib.suppress(Exception):
            await app({**scope, "path": scope["raw_path"].decode("ascii")}, receive, send_with_headers)

    return wrapped


def _fault(scope: Scope) -> tuple[HTTPStatus, str] | None:
    """Why a request is not even looked at, None if it is."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    if not raw_path.isascii() or not query.isascii():
        return HTTPStatus.BAD_REQUEST, "The URL holds bytes that are not ASCII: percent-encode them"
    if len(raw_path) > MAX_PATH_BYTES or len(query) > MAX_QUERY_BYTES:
        limits = f"{MAX_PATH_BYTES} bytes of path and {MAX_QUERY_BYTES} of query"
        return HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is too long: at most {limits}"
    twice = repeated(scope["headers"])
    if twice is not None:
        return HTTPStatus.BAD_REQUEST, f"The header {twice.title()} came more than once"
    if not all(_is_host(value) for name, value in scope["headers"] if name == b"host"):
        return HTTPStatus.BAD_REQUEST, "The header Host is not a host and port"
    return None


def _is_host(value: bytes) -> bool:
    try:
        parts = urlsplit(f"http://{value.decode('ascii')}")
        return parts.port is None or bool(parts.hostname)  # `port` raises for what is no number
    except ValueError:
        return False
