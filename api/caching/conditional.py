"""Answers that are one JSON object and are made each time: their ETag, 304, Cache-Control and content coding.

Answers that are kept in memory are made in `answers`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response

from api.caching.answers import JSON_VARY, Answers, Validator, etag_of
from api.caching.revisions import revision_name
from api.engine.snapshot import Snapshot
from api.http.form import Written, json_form, said_of, written


async def json_of(
    request: Request[Any, Any, Any],
    snapshots: Sequence[Snapshot],
    compute: Callable[[], Any],
    *,
    compared_to: Snapshot | None = None,
    immutable: bool = False,
) -> Response[Any]:
    """What `compute` makes of the snapshots and the request's parameters, in a thread; 304 if the caller has it.

    `X-Revision` names `snapshots`, and `X-Compared-To` what they are compared to. `immutable` says that the request
    named its commits in full, so that the answer never changes. Raises as `compute`.
    """
    coding = json_form(request).coding
    asked = sorted((name, str(value)) for name, value in request.query_params.multi_items())
    base = None if compared_to is None else compared_to.sha
    commits = [base, *(snapshot.sha for snapshot in snapshots)]
    etag = etag_of(request.scope["path"], asked, commits, coding)
    validator = Validator(etag, revision_name(snapshots), base, immutable=immutable, vary=JSON_VARY)
    unchanged = validator.unchanged(request)
    if unchanged is not None:
        return unchanged

    def encoded() -> Written:
        return written(msgspec.json.encode(compute()), coding)

    answers = Answers.of(request.app)
    return _answered(request, await answers.threads.large(request.receive, encoded), validator)


def listing_of(request: Request[Any, Any, Any], found: msgspec.Struct) -> Response[Any]:
    """What was found as JSON, of no commit: its strong ETag is of what it says; 304 if the caller has it."""
    body, coding = msgspec.json.encode(found), json_form(request).coding
    validator = Validator(etag_of(coding, body), vary=JSON_VARY)
    return validator.unchanged(request) or _answered(request, written(body, coding), validator)


def _answered(request: Request[Any, Any, Any], made: Written, validator: Validator) -> Response[Any]:
    return validator.unchanged(request, exists=True) or Response(
        made.body, headers=validator.headers | validator.lifetime | said_of(made.coding), media_type=made.media_type
    )
