"""Answers that are a function of one dataset's commit and a query: commit, ETag, cache, bytes, headers, in that order.

How the bytes are made is the caller's business.
"""

import asyncio
import hashlib
import time
from typing import Any, Final, Protocol, cast

import msgspec
from litestar import Litestar, Request, Response

from api.answers import IMMUTABLE, REVALIDATE, VARY, matches
from api.cache import Answer, AnswerCache
from api.compression import coded
from api.conditional import json_coding
from api.engine.engine import Engine
from api.engine.selection import NotResident
from api.engine.snapshot import Snapshot
from api.hot import Hot
from api.metrics import Metrics
from api.queries import RevisionChoice
from api.revisions import commit_at, load

_FORM: Final = "1"
"""Changes when the same data are written in another way, so that ETags of older versions do not match."""
_JSON: Final = "application/json"


class Compute(Protocol):
    """Makes JSON of a snapshot."""

    def __call__(self, snapshot: Snapshot, *, resident_only: bool) -> bytes:
        """The bytes.

        Raises:
            NotResident: `resident_only` is set and a file would have to be read, or much be computed, first.
        """


class DropInAnswers:
    """Answers of the drop-in endpoints; hot ones are sent without coming here again."""

    def __init__(self, engine: Engine, cache: AnswerCache, *, metrics: Metrics) -> None:
        self._engine = engine
        self._cache = cache
        self._metrics = metrics

    @classmethod
    def of(cls, app: Litestar) -> "DropInAnswers":
        """The one of an application."""
        return cast("DropInAnswers", app.state.drop_in_answers)

    async def answer(
        self,
        request: Request[Any, Any, Any],
        dataset_name: str,
        query: msgspec.Struct,
        *,
        choice: RevisionChoice,
        compute: Compute,
    ) -> Response[bytes]:
        """What `compute` makes of the commit that is meant; 304 when the caller has it already.

        `query` names all that `compute` depends on besides the snapshot.

        Raises:
            ApiError, HubError: said by name, and whatever `compute` raises.
        """
        dataset = self._engine.dataset(dataset_name)
        commit = await commit_at(dataset, choice)
        coding = json_coding(request)
        etag = _etag(commit.sha, query, coding)
        pinned = choice.is_lasting
        lasting = {"Cache-Control": IMMUTABLE if pinned else REVALIDATE}
        headers = {"ETag": etag, "Vary": VARY, "X-Revision": commit.sha}
        if pinned or choice.is_current:
            request.scope["state"]["hot"] = Hot(etag.encode(), None if pinned else dataset, commit.sha)
        if matches(request.headers.get("if-none-match"), etag):
            return Response(b"", status_code=304, headers=headers | lasting)
        answer = self._cache.get(etag.encode())
        (self._metrics.miss if answer is None else self._metrics.hit).inc()
        if answer is None:
            began_s = time.perf_counter()
            body = await _computed(compute, await load(dataset, commit))
            body, used = coded(body, coding)
            if used:
                headers["Content-Encoding"] = used
            answer = Answer(etag=etag.encode(), body=body, headers=headers, media_type=_JSON)
            self._cache.put(answer)
            request.scope["state"]["timing"] = [f"rows;dur={(time.perf_counter() - began_s) * 1000:.2f}"]
        return Response(answer.body, headers=answer.headers | lasting, media_type=_JSON)


async def _computed(compute: Compute, snapshot: Snapshot) -> bytes:
    """The bytes, on the event loop when that is quick."""
    try:
        return compute(snapshot, resident_only=True)
    except NotResident:
        return await asyncio.to_thread(compute, snapshot, resident_only=False)


def _etag(sha: str, query: msgspec.Struct, coding: str) -> str:
    named = (_FORM, type(query).__name__, sha, query, coding)
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'
