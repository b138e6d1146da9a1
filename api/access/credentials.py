"""Where a token came from: `Authorization: Bearer …`, HTTP Basic, or the URL."""

import base64
import binascii
from enum import Enum, auto
from typing import Final, NamedTuple

from datahub_system.files.client_tokens import PREFIX

CLIENT_PREFIX: Final = PREFIX.encode()
FROM_URL: Final = b"From-Url "
"""The scheme a token of the URL goes by here. Who sends it in a header is taken at their word: it opens less."""


class TokenPlace(Enum):
    """How a token came in."""

    BEARER = auto()
    BASIC = auto()
    URL = auto()


class SentToken(NamedTuple):
    """A token as it came in; whether it is a good one is not known."""

    value: bytes
    place: TokenPlace


def sent_token(header: bytes | None) -> SentToken | None:
    """The token of an `Authorization` header; the scheme's case does not matter (RFC 9110, 11.1)."""
    if header is None:
        return None
    if header[:7].lower() == b"bearer ":
        token, place = header[7:].strip(), TokenPlace.BEARER
    elif header[:6].lower() == b"basic ":
        token, place = _of_basic(header[6:].strip()), TokenPlace.BASIC
    elif header.startswith(FROM_URL):
        token, place = header[len(FROM_URL) :].strip(), TokenPlace.URL
    else:
        return None
    return SentToken(token, place) if token else None


def _of_basic(encoded: bytes) -> bytes:
    """The password, or the user where that is the token (RFC 7617); empty where it cannot be read."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        return b""
    if user.startswith(CLIENT_PREFIX) and not password.startswith(CLIENT_PREFIX):
        return user
    return password or user
