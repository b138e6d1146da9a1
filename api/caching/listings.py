"""Answers that are of no commit, such as the list of them: their strong ETag is of what they say, and so is their 304.

Answers computed from a commit have their ETag before they are computed; they are made in `answers` and `conditional`.
"""

from typing import Any

import msgspec
from litestar import Request, Response

from api.caching.conditional import coded_json, json_coding
from api.http.compression import coded
from api.http.etags import JSON_VARY, Validator, etag_of


def listing_of(request: Request[Any, Any, Any], found: msgspec.Struct) -> Response[Any]:
    """What was found as JSON; 304 if the caller has it."""
    body, coding = msgspec.json.encode(found), json_coding(request)
    validator = Validator(etag_of(coding, body), vary=JSON_VARY)
    return validator.unchanged(request) or coded_json(request, *coded(body, coding), validator)
