"""The URL that callers know this server by, where a proxy in front of it has another name or serves it under a path."""

from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlsplit

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.http.context import PUBLIC_URL

ROUTES: Final = (
    *("/api/hub", "/api/health", "/binance/api/v3", "/coingecko/api/v3"),
    *("/docs", "/scalar", "/errors", "/schema", "/metrics"),
)
"""Where all endpoints and pages lie, but for the root."""


class PublicUrl:
    """An ASGI layer that notes the URL for whoever makes links, and takes its path off requests that still have it."""

    def __init__(self, app: ASGIApp, *, url: str) -> None:
        self._app = app
        self._url = url
        self._path: Final = unquote(urlsplit(url).path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; some proxies take the path off, others do not."""
        if scope["type"] == "http":  # type: ignore[comparison-overlap]
            scope = self._within(cast("HTTPScope", scope))
        await self._app(scope, receive, send)

    def _within(self, scope: HTTPScope) -> HTTPScope:
        changed: Any = {**scope, "state": {**scope.get("state", {}), PUBLIC_URL: self._url}}
        path = scope["path"]
        if self._path and f"{path}/".startswith(f"{self._path}/"):
            inner = path.removeprefix(self._path) or "/"
            # A public path may be called as one of ours is, `/api` for one: then a proxy may have taken it off already.
            if is_ours(inner) or (inner == "/" and not is_ours(path)):
                changed["path"], changed["raw_path"] = inner, quote(inner).encode()
        return cast("HTTPScope", changed)


def is_ours(path: str) -> bool:
    """Whether a path lies where this server has endpoints or pages."""
    return any(path == one or path.startswith(f"{one}/") for one in ROUTES)
