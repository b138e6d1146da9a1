"""The first and the last that happens to a request: its context, HEAD, answers to repeated requests, the headers every
answer has, and metrics.

An identical request is answered from the cache without routing. Authentication and the rate limit hold for it as for
any other; whatever is not plainly fine goes the long way, where errors are made.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from litestar import Litestar
from litestar.types import (
    ASGIApp,
    HTTPResponseBodyEvent,
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Message,
    Receive,
    Scope,
    Send,
)
from prometheus_client import Counter, Histogram

from api.access.admission import Admission
from api.access.api_keys import DROP_INS, KEY_HEADERS
from api.caching.answers import COMPARED_TO, IMMUTABLE, REVALIDATE, matches
from api.caching.response_cache import ResponseCache, words_of
from api.http.context import TIME_UNIT_HEADER, RequestContext
from api.http.delivery import PIECE_BYTES, send_in_pieces
from api.http.disconnects import CLOSED_STATUS
from api.http.errors import ApiError
from api.http.metrics import Metrics
from api.middleware.bounds import MOST_FIELD_BYTES, MOST_HEADERS, SHORT_URL, check_closely
from api.middleware.private_answers import PrivateSend
from api.middleware.query_cache import FEW_PARAMETERS, SMALL_BYTES, forget_queries
from api.middleware.ranges import PartSend
from api.middleware.refusals import refusal_of

_OK: Final = 200
_UNCHANGED: Final = 304
EXPOSED_HEADERS: Final = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Link",
    "X-Repeatable",
    "X-Revision",
    COMPARED_TO,
    "X-Request-Id",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "Server-Timing",
)
_ALWAYS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()),
]
_PREFLIGHT: Final = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-max-age", b"86400"),
]
_USUAL_HEADERS: Final = (
    *("Accept", "Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "X-Request-Id"),
    *KEY_HEADERS,
    TIME_UNIT_HEADER,
)
_HEADER_NAMES: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
"""A list of tokens (RFC 9110, 5.6.2)."""
_MOST_ASKED_BYTES: Final = 2048
_IMMUTABLE: Final = (b"cache-control", IMMUTABLE.encode())
_REVALIDATE: Final = (b"cache-control", REVALIDATE.encode())
_LOG: Final = logging.getLogger(__name__)


Layer = Callable[[ASGIApp], ASGIApp]


class Application(Litestar):
    """Litestar with a list of `layers` that see a request before it is routed, the first one outermost.

    Litestar's own `middleware` sees only what was routed. HEAD, paths that are not there, and answers that need no
    routing are dealt with before.
    """

    def __init__(self, *, layers: Sequence[Layer], **parts: Any) -> None:
        super().__init__(**parts)
        entry: Any = super().__call__
        for layer in reversed(layers):
            entry = layer(entry)
        self._entry = entry

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Answer a request, or start or stop."""
        await self._entry(scope, receive, send)


class Front:
    """An ASGI layer around the application."""

    def __init__(self, app: ASGIApp, *, admission: Admission, cache: ResponseCache, metrics: Metrics) -> None:
        self._app = app
        self._admission = admission
        self._cache = cache
        self._metrics = metrics
        self._counted: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # type: ignore[comparison-overlap]
            await self._app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        context = RequestContext(request)
        asked = context.headers.get(b"range")
        if asked is not None and request["method"] == "GET":
            send = PartSend(send, asked=asked, condition=context.headers.get(b"if-range"))
        refused = None if _is_plain(request, context) else _looked_at(request, context)
        if context.secret_in_url:
            send = PrivateSend(send)
        if refused is not None:
            await self._send_refusal(refused, context, request, send)
        elif request["method"] == "OPTIONS" and b"access-control-request-method" in context.headers:
            await _send_preflight(context, send)
        elif not await self._send_repeated(context, request, send):
            await self._send_routed(context, request, receive, send)

    async def _send_repeated(self, context: RequestContext, scope: HTTPScope, send: Send) -> bool:
        """Send the answer that these words got before, if the caller may have it; whether there was one."""
        found = self._cache.repeated(words_of(context))
        if found is None or scope["method"] not in {"GET", "HEAD"} or not self._admission.passes_at_once(context):
            return False
        repeatable, answer = found
        condition = context.if_none_match
        unchanged = condition is not None and matches(condition.decode("latin-1"), answer.etag.decode())
        headers = [
            *(answer.raw_headers_unchanged if unchanged else answer.raw_headers),
            _IMMUTABLE if repeatable.immutable else _REVALIDATE,
            *_ALWAYS,
            *context.answer_headers("cache;desc=hot"),
        ]
        status = _UNCHANGED if unchanged else _OK
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if unchanged or scope["method"] == "HEAD" else answer.body
        message: HTTPResponseBodyEvent = {"type": "http.response.body", "body": body, "more_body": False}
        if len(body) <= PIECE_BYTES:
            await send(message)
        else:
            async with _while_read() as patience:
                await send_in_pieces(message, send, patience)
        self._metrics.hot.inc()
        self._count(repeatable.path, status, context)
        return True

    async def _send_routed(self, context: RequestContext, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Let the application answer; HEAD is GET without the body, and done where that begins."""
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = cast("HTTPScope", {**scope, "method": "GET"})  # the server's own scope must keep saying HEAD
        status, in_pieces, is_sent = CLOSED_STATUS, False, False  # where nothing is answered, the caller went first

        async def finishing(message: Message) -> None:
            nonlocal status, in_pieces, is_sent
            if message["type"] == "http.response.start":
                status = message["status"]
                added = [*_ALWAYS, *context.answer_headers(*context.timings)]
                message["headers"] = [*map(_with_head, message["headers"]), *added]
            elif message["type"] == "http.response.body" and is_head:
                if is_sent:
                    return
                # Whoever makes more of the body is told by the server that the caller is gone: a stream would not end.
                message["body"], message["more_body"], is_sent = b"", False, True
            elif message["type"] == "http.response.body":
                in_pieces |= message.get("more_body", False) or len(message.get("body", b"")) > PIECE_BYTES
                if in_pieces:
                    await send_in_pieces(message, send, patience)
                    return
            await send(message)

        async with _while_read() as patience:
            await self._app(scope, receive, finishing)
        if len(context.query) > SMALL_BYTES or context.query.count(b"&") > FEW_PARAMETERS:
            forget_queries()
        self._count(scope.get("path_template") or "(none)", status, context)

    async def _send_refusal(self, error: ApiError, context: RequestContext, scope: HTTPScope, send: Send) -> None:
        """Answer a request that goes no further."""
        refusal = refusal_of(error, path=scope["path"], context=context)
        length = (b"content-length", b"%d" % len(refusal.body))
        headers = [*refusal.headers, length, *_ALWAYS, *context.answer_headers()]
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else refusal.body
        await send({"type": "http.response.body", "body": body, "more_body": False})
        self._count("(none)", refusal.status, context)

    def _count(self, path: str, status: int, context: RequestContext) -> None:
        """Count an answer, and how long it took."""
        counted = self._counted.get((path, status))
        if counted is None:
            counted = self._counted[path, status] = self._metrics.of_answers(path, status)
        counted[0].inc()
        counted[1].observe(time.perf_counter() - context.began_s)


def _looked_at(scope: HTTPScope, context: RequestContext) -> ApiError | None:
    """What is wrong with a request that is not plain; it is noted whether there was a secret in its URL."""
    refused, query = None, scope["query_string"]
    try:
        check_closely(scope, context)
    except ApiError as error:
        refused = error
    context.secret_in_url = scope["query_string"] != query
    return refused


def _is_plain(scope: HTTPScope, context: RequestContext) -> bool:
    """Whether nothing about a request need be looked at closely: no header twice, all short, no token elsewhere."""
    given, path = context.headers, scope["path"]
    return (
        len(given) == len(cast("list[Any]", scope["headers"]))
        and len(given) <= MOST_HEADERS
        and len(b"".join(given)) + len(b"".join(given.values())) <= MOST_FIELD_BYTES
        and len(path) + len(scope["query_string"]) <= SHORT_URL
        and not path.startswith(DROP_INS)
        and b"token" not in scope["query_string"]  # and no name of a parameter is written in another way
        and b"%" not in scope["query_string"]
    )


@asynccontextmanager
async def _while_read() -> AsyncIterator[asyncio.Timeout]:
    """Let a block answer as long as its client reads; when it does not, the block is cancelled, wherever it is.

    The answer stays unfinished then, and the server closes the connection as soon as what is under way is read, or the
    client goes. Its time-out is for `send_in_pieces`.
    """
    try:
        async with asyncio.timeout(None) as patience:
            yield patience
    except TimeoutError:
        if not patience.expired():
            raise
        _LOG.info("a client did not read its answer and is disconnected")


def _with_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header `Allow` with the method that is answered here, the others as they are."""
    name, value = header
    return (name, value + b", HEAD") if name == b"allow" and b"GET" in value else header


async def _send_preflight(context: RequestContext, send: Send) -> None:
    """Let pages of any origin send what they ask to: a header that means nothing here does nothing, and tokens come in
    one, never in a cookie. Libraries add more of them (tracing, caching) than any list could name.
    """
    asked = context.headers.get(b"access-control-request-headers", b"").strip()
    allowed = ", ".join(_USUAL_HEADERS).encode()
    if len(asked) <= _MOST_ASKED_BYTES and _HEADER_NAMES.fullmatch(asked):
        allowed += b", " + asked
    headers = [
        *_ALWAYS,
        *context.answer_headers(),
        *_PREFLIGHT,
        (b"access-control-allow-headers", allowed),
        (b"vary", b"Access-Control-Request-Headers"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
