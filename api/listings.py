"""Answers that are of no commit, such as the list of them: their strong ETag is of what they say, and so is their 304.

Answers computed from a commit have their ETag before they are computed; they are made in `answers` and `conditional`.
"""

import hashlib
from typing import Any, Final

import msgspec
from litestar import Request, Response

from api.answers import REVALIDATE, matches

_JSON: Final = "application/json"


def listing_of(request: Request[Any, Any, Any], found: msgspec.Struct) -> Response[Any]:
    """What was found as JSON; 304 if the caller has it."""
    body = msgspec.json.encode(found)
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Vary": "Authorization", "Cache-Control": REVALIDATE}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=_JSON)
