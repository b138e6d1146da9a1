"""Answers that are one JSON object computed from pinned snapshots: their ETag, 304, Cache-Control and content coding.

Answers that are rows are made in `answers`.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response

from api.answers import IMMUTABLE, REVALIDATE, matches
from api.compression import coded
from api.engine.snapshot import Snapshot
from api.negotiation import form_of
from api.revisions import revision_name

_FORM: Final = "2"
_JSON: Final = "application/json"
VARY: Final = "Accept-Encoding, Authorization"


async def json_of(
    request: Request[Any, Any, Any],
    snapshots: Sequence[Snapshot],
    compute: Callable[[], Any],
    *,
    compared_to: Sequence[Snapshot] = (),
    lasting: bool = False,
) -> Response[Any]:
    """What `compute` makes of the snapshots and the request's parameters, in a thread; 304 if the caller has it.

    `X-Revision` names `snapshots`, but not those they are only `compared_to`. `lasting` says that the request named its
    commits in full, so that the answer never changes. Raises as `compute`.
    """
    coding = json_coding(request)
    etag = _etag(request, [*snapshots, *compared_to], coding)
    headers = {
        "ETag": etag,
        "Vary": VARY,
        "X-Revision": revision_name(snapshots),
        "Cache-Control": IMMUTABLE if lasting else REVALIDATE,
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    return coded_json(*await asyncio.to_thread(_written, compute, coding), headers)


def json_coding(request: Request[Any, Any, Any]) -> str:
    """The content coding a caller wants JSON in, "" for none."""
    accepted = request.headers.get("accept-encoding", "")
    return form_of(format_name="json", numbers=None, accept="", accept_encoding=accepted).coding


def coded_json(body: bytes, coding: str, headers: dict[str, str]) -> Response[Any]:
    """An answer with a JSON body that is in that coding, "" for none."""
    encoding = {"Content-Encoding": coding} if coding else {}
    return Response(body, headers=headers | encoding, media_type=_JSON)


def _written(compute: Callable[[], Any], coding: str) -> tuple[bytes, str]:
    return coded(msgspec.json.encode(compute()), coding)


def _etag(request: Request[Any, Any, Any], snapshots: Sequence[Snapshot], coding: str) -> str:
    asked = sorted((name, str(value)) for name, value in request.query_params.multi_items())
    named = (_FORM, request.scope["path"], asked, [snapshot.sha for snapshot in snapshots], coding)
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'
