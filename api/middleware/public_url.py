"""The URL that callers know this server by, where a proxy in front of it has another name or serves it under a path."""

from typing import Any, Final, cast
from urllib.parse import urlsplit

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.http.context import PUBLIC_URL


class PublicUrl:
    """An ASGI layer that notes the URL for whoever makes links, and takes its path off requests that still have it."""

    def __init__(self, app: ASGIApp, *, url: str) -> None:
        self._app = app
        self._url = url
        self._path: Final = urlsplit(url).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; some proxies take the path off, others do not."""
        if scope["type"] == "http":  # type: ignore[comparison-overlap]
            scope = self._within(cast("HTTPScope", scope))
        await self._app(scope, receive, send)

    def _within(self, scope: HTTPScope) -> HTTPScope:
        changed: Any = {**scope, "state": {**scope.get("state", {}), PUBLIC_URL: self._url}}
        if self._path and f"{scope['path']}/".startswith(f"{self._path}/"):
            changed["path"] = scope["path"].removeprefix(self._path) or "/"
            changed["raw_path"] = scope["raw_path"].removeprefix(self._path.encode()) or b"/"
        return cast("HTTPScope", changed)
