"""Turns a request for rows into an HTTP answer: commit, ETag, memory, rows, encoding, in that order.

Everything after the commit is known is a function of (commit, query, form): that is what the strong ETag names.
"""

import asyncio
import time
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode

from litestar import Litestar, Request, Response
from litestar.response import Stream

from api.caching.cached_answers import CachedAnswers
from api.caching.revision_choice import RevisionChoice
from api.caching.revisions import commit_at
from api.engine.dataset import Dataset
from api.engine.engine import Engine
from api.engine.hub.reader import HubCommit
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.bodies import INLINE_ROWS, STREAMED_ROWS, body_of, streamed
from api.http.errors import InvalidCursor
from api.http.etags import Validator, etag_of
from api.http.negotiation import choose_form
from api.rows.choice import is_one_series
from api.rows.requests import Asked, RowsRequest
from api.rows.service import RowsPage, rows_of

_FORM: Final = "3"
"""Changes when the same rows are written in another way, so that ETags of older versions do not match."""
_NOT_IN_NEXT_PAGE: Final = frozenset({"cursor", "revision", "as_of"})


class RowAnswers:
    """Answers of the row endpoints."""

    def __init__(self, engine: Engine, cached_answers: CachedAnswers) -> None:
        self._engine = engine
        self._cached_answers = cached_answers

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
        etag = etag_of(_FORM, commit.sha, query, form.format.name, form.numbers_as_text, form.coding)
        validator = Validator(etag, commit.sha, immutable=query.pinned is not None or choice.is_immutable)
        found = self._cached_answers.find_of(
            request, validator, dataset=dataset, sha=commit.sha, newest=choice.is_current
        )
        if found is not None:
            return found
        page = await self._page(request, dataset, commit, query)
        more = {} if page.cursor is None else {"Link": f'<{_next_url(request, page.cursor.text())}>; rel="next"'}
        if page.frame.height > STREAMED_ROWS and form.format.textual:
            return streamed(page.frame, form, validator.headers | more | validator.lifetime)
        began_s = time.perf_counter()
        body, coding = await body_of(page.frame, form)
        request.scope["state"]["timing"].append(f"encode;dur={(time.perf_counter() - began_s) * 1000:.2f}")
        return self._cached_answers.keep(
            request, validator, body, media_type=form.format.media_type, coding=coding, **more
        )

    async def _page(
        self, request: Request[Any, Any, Any], dataset: Dataset, commit: HubCommit, query: RowsRequest
    ) -> RowsPage:
        began_s = time.perf_counter()
        snapshot = await dataset.at(commit)
        page = _page_at_once(snapshot, query)
        if page is None:
            page = await asyncio.to_thread(rows_of, snapshot, query)
        request.scope["state"]["timing"] = [f"rows;dur={(time.perf_counter() - began_s) * 1000:.2f}"]
        return page


async def _commit(dataset: Dataset, query: RowsRequest, choice: RevisionChoice) -> HubCommit:
    if query.pinned is None:
        return await commit_at(dataset, choice)
    if not choice.is_current and choice.revision != query.pinned:
        raise InvalidCursor("the cursor goes on at its own commit: leave revision and as_of out")
    return dataset.find(revision=query.pinned)


def _page_at_once(snapshot: Snapshot, query: RowsRequest) -> RowsPage | None:
    """The page, if it is small and no file must be read for it."""
    if query.limit > INLINE_ROWS or not is_one_series(snapshot.spec, query):
        return None
    try:
        return rows_of(snapshot, query, resident_only=True)
    except NotResident:
        return None


def _next_url(request: Request[Any, Any, Any], cursor: str) -> str:
    """The same request with the cursor, relative to this server (RFC 8288 allows it; only callers know its name)."""
    given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in given if name not in _NOT_IN_NEXT_PAGE]
    return f"{request.scope['path']}?{urlencode([*kept, ('cursor', cursor)])}"
