"""The outermost layer of every request: its id, HEAD, timing, rate-limit headers, metrics, and answers to repeated
requests.

An identical request is answered from the cache without routing. Authentication and the rate limit hold for it as for
any other; whatever is not plainly fine goes the long way, where errors are made.
"""

from typing import Any, Final, cast

from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPScope, Message, Receive, Scope, Send

from api.access.api_keys import KEY_HEADERS
from api.access.auth import Authenticator
from api.access.rate_limit import Allowance, RateLimiter
from api.caching.repeated_requests import RepeatedRequests, RequestKey
from api.http.delivery import PIECE_BYTES, Delivery
from api.http.disconnects import CLOSED_STATUS
from api.http.errors import ApiError
from api.http.etags import COMPARED_TO, IMMUTABLE, REVALIDATE, matches
from api.http.metrics import Metrics
from api.middleware.arrival import Arrival
from api.middleware.query_cache import forget_large
from api.middleware.refusals import refusal_of

_OK: Final = 200
_UNCHANGED: Final = 304
EXPOSED_HEADERS: Final = (
    "ETag",
    "Link",
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
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id, "
        + ", ".join(KEY_HEADERS).encode(),
    ),
    (b"access-control-max-age", b"86400"),
]
_IMMUTABLE: Final = (b"cache-control", IMMUTABLE.encode())
_REVALIDATE: Final = (b"cache-control", REVALIDATE.encode())


class OuterMiddleware:
    """An ASGI layer around the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator,
        limiter: RateLimiter,
        hot: RepeatedRequests,
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limiter = limiter
        self._hot = hot
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # type: ignore[comparison-overlap]
            await self._app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        arrival = Arrival()
        try:
            arrival.read(request)
        except ApiError as error:
            await self._send_refusal(error, arrival, request, send)
            return
        key = (request["path"], request["query_string"], arrival.accept, arrival.accept_encoding)
        if arrival.is_preflight and request["method"] == "OPTIONS":
            await _send_preflight(arrival, send)
        elif not await self._send_hot(key, arrival, request, send):
            await self._send_routed(key, arrival, request, receive, send)

    async def _send_hot(self, key: RequestKey, arrival: Arrival, scope: HTTPScope, send: Send) -> bool:
        """Send the hot answer if there is one and this caller may have it; whether it was sent."""
        found = self._hot.find(key)
        if found is None or scope["method"] not in {"GET", "HEAD"}:
            return False
        principal = self._authenticator.known_principal(arrival.authorization)
        if principal is None:
            return False
        allowance = self._limiter.take(principal.digest)
        if allowance is not None and not allowance.granted:
            return False
        hot, path, answer = found
        condition = arrival.if_none_match
        unchanged = condition is not None and matches(condition.decode("latin-1"), hot.etag.decode())
        headers = [
            *(answer.raw_headers_unchanged if unchanged else answer.raw_headers),
            _IMMUTABLE if hot.dataset is None else _REVALIDATE,
            *_common(arrival, allowance, "cache;desc=hot"),
        ]
        status = _UNCHANGED if unchanged else _OK
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if unchanged or scope["method"] == "HEAD" else answer.body
        message: HTTPResponseBodyEvent = {"type": "http.response.body", "body": body, "more_body": False}
        if len(body) <= PIECE_BYTES:
            await send(message)
        else:
            async with Delivery(send) as delivery:
                await delivery.send(message)
        self._metrics.hot.inc()
        self._metrics.observe(path, status, arrival.seconds)
        return True

    async def _send_routed(
        self, key: RequestKey, arrival: Arrival, scope: HTTPScope, receive: Receive, send: Send
    ) -> None:
        """Let the application answer; HEAD is GET without the body."""
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = cast("HTTPScope", {**scope, "method": "GET"})  # the server's own scope must keep saying HEAD
        state: dict[str, Any] = scope["state"]
        state["request_id"] = arrival.request_id.decode()
        status = CLOSED_STATUS  # when nothing is answered, the caller went away first

        async def finishing(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = _common(arrival, state.get("allowance"), *state.get("timing", ()))
                message["headers"] = [*map(_with_head, message["headers"]), *added]
                if status == _OK and "hot" in state:
                    self._hot.remember(key, state["hot"], path=scope["path_template"])
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await delivery.send(message)

        async with Delivery(send) as delivery:
            await self._app(scope, receive, finishing)
        forget_large(scope["query_string"])
        self._metrics.observe(scope.get("path_template") or "(none)", status, arrival.seconds)

    async def _send_refusal(self, error: ApiError, arrival: Arrival, scope: HTTPScope, send: Send) -> None:
        """Answer a request that goes no further."""
        refusal = refusal_of(error, path=scope["path"], request_id=arrival.request_id.decode())
        length = (b"content-length", b"%d" % len(refusal.body))
        headers = [*refusal.headers, length, *_common(arrival, None)]
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else refusal.body
        await send({"type": "http.response.body", "body": body, "more_body": False})
        self._metrics.observe("(none)", refusal.status, arrival.seconds)


def _common(arrival: Arrival, allowance: Allowance | None, *timing: str) -> list[tuple[bytes, bytes]]:
    """The headers every answer gets."""
    timings = ", ".join((*timing, f"total;dur={arrival.seconds * 1000:.2f}"))
    common = [*_ALWAYS, (b"x-request-id", arrival.request_id), (b"server-timing", timings.encode())]
    return common if allowance is None else [*common, *allowance.headers()]


def _with_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header `Allow` with the method that is answered here, the others as they are."""
    name, value = header
    return (name, value + b", HEAD") if name == b"allow" and b"GET" in value else header


async def _send_preflight(arrival: Arrival, send: Send) -> None:
    """Let pages of any origin send what our clients send; tokens come in a header, never in a cookie."""
    headers = [*_common(arrival, None), *_PREFLIGHT]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
