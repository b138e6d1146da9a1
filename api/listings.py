"""Answers that are of no commit, such as the list of them: their strong ETag is of what they say, and so is their 304.

Answers computed from a commit have their ETag before they are computed; they are made in `answers` and `conditional`.
"""

import hashlib
from typing import Any

import msgspec
from litestar import Request, Response

from api.answers import REVALIDATE, matches
from api.compression import coded
from api.conditional import VARY, coded_json, json_coding


def listing_of(request: Request[Any, Any, Any], found: msgspec.Struct) -> Response[Any]:
    """What was found as JSON; 304 if the caller has it."""
    body, coding = msgspec.json.encode(found), json_coding(request)
    etag = f'"{hashlib.blake2b(coding.encode() + body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Vary": VARY, "Cache-Control": REVALIDATE}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    return coded_json(*coded(body, coding), headers)
