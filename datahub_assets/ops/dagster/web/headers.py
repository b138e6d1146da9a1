"""What every answer tells browsers: who may read, frame and open it."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",  # Dagster shows notebooks in a frame of its own
    "referrer-policy": "same-origin",  # not no-referrer, which makes the Origin of a form `null`
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_FRAMES: Final = "frame-ancestors 'self'"
_WITHOUT_POLICY: Final = f"object-src 'none'; base-uri 'none'; {_FRAMES}"


class SecurityHeaders:
    """ASGI middleware that adds these headers. Dagster's own policy, with its nonces, stays as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything, with headers added to answers."""

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, add_headers if scope["type"] == "http" else send)


def _add(headers: MutableHeaders) -> None:
    headers.update(_ALWAYS)
    headers.setdefault("cache-control", "private")
    policy = headers.get("content-security-policy")
    if policy is None:
        headers["content-security-policy"] = _WITHOUT_POLICY
    elif "frame-ancestors" not in policy:
        headers["content-security-policy"] = f"{policy.rstrip('; ')}; {_FRAMES}"
