"""Turns a request for rows into an HTTP answer: commit, ETag, cache, rows, encoding, headers, in that order.

Everything after the commit is known is a function of (commit, query, form): that is what the strong ETag names.
"""

import asyncio
import hashlib
import time
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Litestar, Request, Response
from litestar.response import Stream

from api.bodies import STREAMED_ROWS, body_of, streamed
from api.cache import Answer, AnswerCache
from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.hub import Commit
from api.engine.selection import NotResident
from api.engine.snapshot import Snapshot
from api.errors import InvalidCursor
from api.hot import Hot
from api.metrics import Metrics
from api.negotiation import Form, choose_form
from api.queries import Asked, RevisionChoice, RowsRequest
from api.revisions import commit_at, load
from api.rows import RowsPage, rows_of

_FORM: Final = "1"
"""Changes when the same rows are written in another way, so that ETags of older versions do not match."""
_INLINE_ROWS: Final = 2_000
"""Up to this many rows are selected and encoded on the event loop: a thread would cost more than it gains."""
_NOT_IN_NEXT_PAGE: Final = frozenset({"cursor", "revision", "as_of"})
VARY: Final = "Accept, Accept-Encoding, Authorization"
IMMUTABLE: Final = "private, max-age=31536000, immutable"
REVALIDATE: Final = "private, no-cache"


class RowAnswers:
    """Answers of the row endpoints."""

    def __init__(self, engine: Engine, cache: AnswerCache, *, metrics: Metrics) -> None:
        self._engine = engine
        self._cache = cache
        self._metrics = metrics

    @classmethod
    def of(cls, app: Litestar) -> "RowAnswers":
        """The one of an application; not a dependency, as the many of those a request has would be its main cost."""
        return cast("RowAnswers", app.state.row_answers)

    async def answer(self, request: Request[Any, Any, Any], asked: Asked) -> Response[bytes] | Stream:
        """The answer to a query at the commit it means; 304 when the caller has it already.

        Raises:
            ApiError, HubError: said by name.
        """
        query, choice, form = asked.rows, asked.choice, choose_form(request, asked.format, asked.numbers)
        dataset = self._engine.dataset(query.dataset)
        commit = await _commit(dataset, query, choice)
        etag = _etag(commit, query, form)
        pinned = query.pinned is not None or choice.is_lasting
        lasting = {"Cache-Control": IMMUTABLE if pinned else REVALIDATE}
        headers = {"ETag": etag, "Vary": VARY, "X-Revision": commit.sha}
        if pinned or choice.is_current:
            request.scope["state"]["hot"] = Hot(etag.encode(), None if pinned else dataset, commit.sha)
        if matches(request.headers.get("if-none-match"), etag):
            return Response(b"", status_code=304, headers=headers | lasting)
        answer = self._cache.get(etag.encode())
        (self._metrics.miss if answer is None else self._metrics.hit).inc()
        if answer is None:
            page = await self._page(request, dataset, commit, query)
            if page.cursor is not None:
                headers["Link"] = f'<{_next_url(request, page.cursor.text())}>; rel="next"'
            if page.frame.height > STREAMED_ROWS and form.format.textual:
                return streamed(page.frame, form, headers | lasting)
            answer = await self._written(request, page, form, headers)
            self._cache.put(answer)
        return Response(answer.body, headers=answer.headers | lasting, media_type=form.format.media_type)

    async def _page(
        self, request: Request[Any, Any, Any], dataset: Dataset, commit: Commit, query: RowsRequest
    ) -> RowsPage:
        began_s = time.perf_counter()
        snapshot = await load(dataset, commit)
        page = _page_at_once(snapshot, query)
        if page is None:
            page = await asyncio.to_thread(rows_of, snapshot, query)
        request.scope["state"]["timing"] = [f"rows;dur={(time.perf_counter() - began_s) * 1000:.2f}"]
        return page

    async def _written(
        self, request: Request[Any, Any, Any], page: RowsPage, form: Form, headers: dict[str, str]
    ) -> Answer:
        began_s = time.perf_counter()
        if page.frame.height > _INLINE_ROWS:
            body, coding = await asyncio.to_thread(body_of, page.frame, form)
        else:
            body, coding = body_of(page.frame, form)
        request.scope["state"]["timing"].append(f"encode;dur={(time.perf_counter() - began_s) * 1000:.2f}")
        coded = {"Content-Encoding": coding} if coding else {}
        return Answer(
            etag=headers["ETag"].encode(), body=body, headers=headers | coded, media_type=form.format.media_type
        )


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag; compared weakly, as RFC 9110 (13.1.2) says."""
    if if_none_match is None:
        return False
    named = [entry.strip().removeprefix("W/") for entry in if_none_match.split(",")]
    return etag in named or "*" in named


async def _commit(dataset: Dataset, query: RowsRequest, choice: RevisionChoice) -> Commit:
    if query.pinned is None:
        return await commit_at(dataset, choice)
    if not choice.is_current and choice.revision != query.pinned:
        raise InvalidCursor("the cursor goes on at its own commit: leave revision and as_of out")
    return dataset.find(revision=query.pinned)


def _page_at_once(snapshot: Snapshot, query: RowsRequest) -> RowsPage | None:
    """The page, if it is small and no file must be read for it."""
    if query.limit > _INLINE_ROWS or len(query.symbols) != 1:
        return None
    try:
        return rows_of(snapshot, query, resident_only=True)
    except NotResident:
        return None


def _etag(commit: Commit, query: RowsRequest, form: Form) -> str:
    named = (_FORM, commit.sha, query, form.format.name, form.numbers_as_text, form.coding)
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'


def _next_url(request: Request[Any, Any, Any], cursor: str) -> str:
    """The same request with the cursor, relative to this server (RFC 8288 allows it; only callers know its name)."""
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in given if name not in _NOT_IN_NEXT_PAGE]
    return f"{request.scope['path']}?{urlencode([*kept, ('cursor', cursor)])}"
