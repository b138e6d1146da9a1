"""Whom a request that came through a proxy is from. Which proxies are trusted to say so is a setting."""

from collections.abc import Collection
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def behind_proxies(app: Any, trusted: Collection[str]) -> Any:
    """An ASGI application, its requests' client and scheme as trusted proxies say they are.

    The client is the right-most entry of `X-Forwarded-For` that is no trusted proxy: whatever stands left of it may be
    the client's own invention. Requests from elsewhere are left as they came.
    """
    return ProxyHeadersMiddleware(app, trusted_hosts=list(trusted)) if trusted else app
