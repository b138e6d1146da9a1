"""Permissions that travel by themselves: signed, for one purpose, until a time.

Storage URLs are called without the caller's token, as the Hub's are, so what they allow has to be in them.
"""

import hashlib
import hmac
import time

from localhub.errors import forbidden

LIFETIME_S = 3600


def permit(key: bytes, *purpose: str | int) -> tuple[str, int]:
    """A text that lets its bearer do `purpose`, and the time (seconds since 1970) until which it does."""
    expires = int(time.time()) + LIFETIME_S
    return f"{expires}.{_signature(key, expires, purpose)}", expires


def check_permit(key: bytes, text: str, *purpose: str | int) -> None:
    """Let a request through only if it carries a permit for `purpose` that is still good.

    Raises:
        HubError: 403.
    """
    number, _, signature = text.partition(".")
    expires = int(number) if number.isascii() and number.isdigit() and len(number) < len("99999999999") else 0
    expected = _signature(key, expires, purpose)
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")) or expires < time.time():
        raise forbidden("This URL is not signed for this, or has expired")


def _signature(key: bytes, expires: int, purpose: tuple[str | int, ...]) -> str:
    text = "\n".join(str(part) for part in (expires, *purpose))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
