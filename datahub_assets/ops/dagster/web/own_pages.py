"""Whether a request comes from a page of ours, by the headers that browsers set and pages cannot (CSRF)."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def is_from_own_page(headers: Headers, *, method: str, may_be_linked: bool) -> bool:
    """Whether a page of ours, a person or a program sends this, and no page of another origin.

    `Sec-Fetch-Site` decides where it is present, else `Origin`. Programs send neither, and pass. Browsers send
    `Sec-Fetch-Site` to loopback and over TLS only, but `Origin` with every POST and every WebSocket.

    Args:
        may_be_linked: whether a link on another site may lead here: a navigation of the whole tab, by a safe method.
    """
    is_safe = method in SAFE_METHODS
    site = headers.get("sec-fetch-site")
    if site is not None:
        by_hand = site == "none" and is_safe  # typed, or from a bookmark
        return site == "same-origin" or by_hand or (is_safe and may_be_linked and _is_navigation(headers))
    origin = headers.get("origin")
    return origin is None or is_same_host(origin, headers.get("host"))


def is_same_host(origin: str, host: str | None) -> bool:
    """Whether an `Origin` and a `Host` name the same host and port.

    The scheme is not compared: behind a reverse proxy that terminates TLS it is https in `Origin` and http here.
    """
    try:
        origin_parts = urlsplit(origin)
        host_parts = urlsplit(f"//{host}")
        default = _DEFAULT_PORTS[origin_parts.scheme]
        ours = (host_parts.hostname, host_parts.port or default)
        theirs = (origin_parts.hostname, origin_parts.port or default)
    except (KeyError, ValueError):  # `null`, another scheme, no port
        return False
    return bool(host) and theirs[0] is not None and ours == theirs


def _is_navigation(headers: Headers) -> bool:
    """Whether the whole tab goes there: no frame, image, script or fetch."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
