"""Which names in a `Host` header are ours: the check that keeps DNS rebinding out.

A web page of another site can have its own name resolve to this machine. The browser then lets the page read answers
as if they were its own site's, but the `Host` header still has the page's name. A literal address cannot be forged
that way: a page whose origin is this address was served from it.
"""

import json
import socket
from collections.abc import Iterable
from typing import Any, Final

from datahub_system.net.addresses import literal

_MISDIRECTED: Final = 421
_LONGEST_SHOWN: Final = 100


class OwnHosts:
    """The names a server answers to: addresses, `localhost`, this machine's name, and those it is told.

    Args:
        names: more names; `*.example.com` means all below it, `*` any name at all.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        given = [_normal(name) for name in names]
        self._any = "*" in given
        self._names = {"localhost", _normal(socket.gethostname()), *given}
        self._suffixes = (".localhost", *(name[1:] for name in given if name.startswith("*.")))

    def __contains__(self, host: object) -> bool:
        """Whether the value of a `Host` header (`name`, `name:port`, `[address]:port`) is one of them."""
        if not isinstance(host, str):
            return False
        name = _without_port(host)
        if name is None:
            return False
        return self._any or literal(name) is not None or name in self._names or name.endswith(self._suffixes)


class HostCheck:
    """ASGI middleware that answers 421 to requests, and closes WebSockets, that were meant for another host.

    A request without a `Host` header passes: every browser sends one, and simple health checks do not.

    Args:
        remedy: what to do about a name that is refused and should not be, as the end of "… by its address, or".
    """

    def __init__(self, app: Any, own: OwnHosts, *, remedy: str) -> None:
        self._app = app
        self._own = own
        self._remedy = remedy
        self._good: set[bytes] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if not hosts or (len(hosts) == 1 and self._is_own(hosts[0])):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._refuse(hosts[0], send)

    def _is_own(self, host: bytes) -> bool:
        if host in self._good:
            return True
        good = host.decode("latin-1") in self._own
        if good and len(self._good) < _MOST_REMEMBERED:
            self._good.add(host)
        return good

    async def _refuse(self, host: bytes, send: Any) -> None:
        shown = host.decode("ascii", "backslashreplace")[:_LONGEST_SHOWN]
        detail = f"This server is not known as '{shown}'. Ask for it by its address, or {self._remedy}."
        body = json.dumps(
            {"title": "Misdirected Request", "status": _MISDIRECTED, "code": "host_not_allowed", "detail": detail}
        ).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": _MISDIRECTED, "headers": headers})
        await send({"type": "http.response.body", "body": body})


_MOST_REMEMBERED: Final = 64


def _without_port(host: str) -> str | None:
    """The name or address of a `Host` value, None where it is none (RFC 9110, 7.2)."""
    if host.startswith("["):
        address, bracket, port = host[1:].partition("]")
        well_formed = bracket and (not port or (port[0] == ":" and port[1:].isdecimal()))
        return address.lower() if well_formed and literal(address) is not None else None
    name, colon, port = host.partition(":")
    if not name or (colon and port and not (port.isascii() and port.isdecimal())):
        return None
    return _normal(name)


def _normal(name: str) -> str:
    return name.strip().lower().removesuffix(".")
