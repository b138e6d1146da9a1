"""URLs that carry their own permission: signed, for one purpose, until a time.

Storage URLs are called without a token, as the Hub's are, so what they allow has to be in them.
"""

import hashlib
import hmac
import time
from urllib.parse import urlencode

from starlette.requests import Request

from localhub.errors import forbidden

LIFETIME_S = 6 * 3600


def signed_query(key: bytes, *purpose: str | int) -> str:
    """The query string that lets its bearer do `purpose` for `LIFETIME_S` seconds."""
    expires = int(time.time()) + LIFETIME_S
    return urlencode({"expires": expires, "signature": _signature(key, expires, purpose)})


def check_signature(key: bytes, request: Request, *purpose: str | int) -> None:
    """Let a request through only if its URL was signed for `purpose` and is still good.

    Raises:
        HubError: 403.
    """
    expires, signature = request.query_params.get("expires", ""), request.query_params.get("signature", "")
    number = int(expires) if expires.isascii() and expires.isdigit() else 0
    expected = _signature(key, number, purpose)
    if not hmac.compare_digest(expected, signature.encode("ascii", "replace").decode()) or number < time.time():
        raise forbidden("This URL is not signed for this, or has expired")


def _signature(key: bytes, expires: int, purpose: tuple[str | int, ...]) -> str:
    text = "\n".join(str(part) for part in (expires, *purpose))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
