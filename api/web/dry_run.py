"""Sends a request to this application itself and stops as soon as its status is known.

So a query is checked by the endpoint that would answer it, and refused with that endpoint's error.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, Final, cast

from litestar import Request
from litestar.types import HTTPScope, Message, ReceiveMessage

from api.http.disconnects import ClientDisconnected, unless_disconnected

_REFUSED: Final = 400
_SAME: Final = ("asgi", "http_version", "scheme", "root_path", "client", "server")
_SAID_BY: Final = frozenset({"retry-after", "www-authenticate", "allow"})
"""Headers of an error that are passed on."""


@dataclass
class DryRunResult:
    """How an answer began; of a refusal the body too."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_refusal(self) -> bool:
        """Whether it is a client's or a server's error."""
        return self.status >= _REFUSED

    @property
    def media_type(self) -> str:
        """What the body is."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def refusal_headers(self) -> dict[str, str]:
        """Those of its headers a refusal is repeated with."""
        return {name: value for name, value in self.headers.items() if name in _SAID_BY}


async def dry_run(request: Request[Any, Any, Any], path: str, query_string: str) -> DryRunResult:
    """The beginning of what a GET of that path answers to the caller of `request`. It counts as a request of theirs."""
    heard, begun = DryRunResult(), asyncio.Event()

    async def receive() -> ReceiveMessage:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            heard.status = message["status"]
            heard.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
            if not heard.is_refusal:
                begun.set()
        elif message["type"] == "http.response.body" and heard.is_refusal:
            heard.body += message["body"]

    with contextlib.suppress(ClientDisconnected):
        await unless_disconnected(receive, request.app(_scope(request, path, query_string), receive, send))
    return heard


def _scope(request: Request[Any, Any, Any], path: str, query_string: str) -> HTTPScope:
    """A GET by the same caller, under the same id."""
    asked = cast("dict[str, Any]", request.scope)
    kept = [(name, value) for name, value in asked["headers"] if name in {b"authorization", b"host"}]
    scope = {name: asked[name] for name in _SAME if name in asked} | {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query_string.encode(),
        "headers": [*kept, (b"x-request-id", asked["state"]["request_id"].encode())],
        "state": {},
    }
    return cast("HTTPScope", scope)
