"""Conditional requests: the strong ETag of an answer, its lifetime, and the 304."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from litestar import Request, Response

VARY: Final = "Accept, Accept-Encoding, Authorization"
JSON_VARY: Final = "Accept-Encoding, Authorization"
"""Of answers that are JSON whatever `Accept` says."""
COMPARED_TO: Final = "X-Compared-To"
_MOST_NAMED: Final = 64
"""Of a longer `If-None-Match` the rest is ignored: the answer is sent once more than needed."""
IMMUTABLE: Final = "private, max-age=31536000, immutable"
REVALIDATE: Final = "private, no-cache"


def etag_of(*named: Any) -> str:
    """The strong ETag of all an answer's bytes depend on, or of the bytes themselves."""
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag; compared weakly, as RFC 9110 (13.1.2) says."""
    if if_none_match is None:
        return False
    if if_none_match == etag:
        return True
    named = [entry.strip().removeprefix("W/") for entry in if_none_match.split(",", _MOST_NAMED)[:_MOST_NAMED]]
    return etag in named or "*" in named


@dataclass(frozen=True, slots=True)
class Validator:
    """An answer's ETag, the commits it is of, and whether the request names those, so that it never changes.

    `compared_to` is the commit a difference begins at.
    """

    etag: str
    revision: str | None = None
    compared_to: str | None = None
    immutable: bool = False
    vary: str = VARY

    @property
    def headers(self) -> dict[str, str]:
        """What is said of the answer whoever asks, and however it was asked for."""
        named = {"ETag": self.etag, "Vary": self.vary}
        if self.revision is not None:
            named["X-Revision"] = self.revision
        if self.compared_to is not None:
            named[COMPARED_TO] = self.compared_to
        return named

    @property
    def lifetime(self) -> dict[str, str]:
        """How long this caller may keep it; the same answer may be asked for with its commit and without."""
        return {"Cache-Control": IMMUTABLE if self.immutable else REVALIDATE}

    def unchanged(self, request: Request[Any, Any, Any], *, exists: bool = False) -> Response[bytes] | None:
        """The 304 for a caller who has the answer already; POST has none (RFC 9110, 13.1.2).

        As long as it is not known whether the answer `exists` or is a refusal, `*` does not match.
        """
        condition = request.headers.get("if-none-match")
        if request.method == "POST" or (condition == "*" and not exists) or not matches(condition, self.etag):
            return None
        return Response(b"", status_code=304, headers=self.headers | self.lifetime)
