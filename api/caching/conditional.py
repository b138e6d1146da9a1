"""Answers that are one JSON object computed from pinned snapshots: their ETag, 304, Cache-Control and content coding.

Answers that are rows are made in `answers`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response

from api.caching.revisions import revision_name
from api.engine.snapshot import Snapshot
from api.http.compression import coded, said_of
from api.http.etags import JSON_VARY, Validator, etag_of
from api.http.negotiation import form_of

_FORM: Final = "2"
"""Changes when the same objects are written in another way, so that ETags of older versions do not match."""
JSON: Final = "application/json"


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
    coding = json_coding(request)
    asked = sorted((name, str(value)) for name, value in request.query_params.multi_items())
    base = None if compared_to is None else compared_to.sha
    commits = [base, *(snapshot.sha for snapshot in snapshots)]
    etag = etag_of(_FORM, request.scope["path"], asked, commits, coding)
    validator = Validator(etag, revision_name(snapshots), base, immutable=immutable, vary=JSON_VARY)
    unchanged = validator.unchanged(request)
    if unchanged is not None:
        return unchanged
    return coded_json(request, *await asyncio.to_thread(_written, compute, coding), validator)


def json_coding(request: Request[Any, Any, Any]) -> str:
    """The content coding a caller wants JSON in, "" for none."""
    accepted = request.headers.get("accept-encoding", "")
    return form_of(format_name="json", numbers=None, accept="", accept_encoding=accepted).coding


def coded_json(request: Request[Any, Any, Any], body: bytes, coding: str, validator: Validator) -> Response[Any]:
    """An answer with a JSON body that is in that coding, "" for none."""
    return validator.unchanged(request, exists=True) or Response(
        body, headers=validator.headers | validator.lifetime | said_of(coding), media_type=JSON
    )


def _written(compute: Callable[[], Any], coding: str) -> tuple[bytes, str]:
    return coded(msgspec.json.encode(compute()), coding)
