"""Answers that are one JSON object computed from pinned snapshots: their ETag, 304 and Cache-Control.

Answers that are rows are made in `answers`.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response

from api.answers import IMMUTABLE, REVALIDATE, matches
from api.engine.snapshot import Snapshot
from api.revisions import revision_name

_FORM: Final = "1"
_VARY: Final = "Authorization"


async def json_of(
    request: Request[Any, Any, Any],
    snapshots: Sequence[Snapshot],
    compute: Callable[[], Any],
    *,
    lasting: bool = False,
) -> Response[Any]:
    """What `compute` makes of the snapshots and the request's parameters, in a thread; 304 if the caller has it.

    `lasting` says that the request named its commits in full, so that the answer never changes. Raises as `compute`.
    """
    etag = _etag(request, snapshots)
    headers = {
        "ETag": etag,
        "Vary": _VARY,
        "X-Revision": revision_name(snapshots),
        "Cache-Control": IMMUTABLE if lasting else REVALIDATE,
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(None, status_code=304, headers=headers)
    return Response(await asyncio.to_thread(compute), headers=headers)


def _etag(request: Request[Any, Any, Any], snapshots: Sequence[Snapshot]) -> str:
    asked = sorted((name, str(value)) for name, value in request.query_params.multi_items())
    named = (_FORM, request.scope["path"], asked, [snapshot.sha for snapshot in snapshots])
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'
