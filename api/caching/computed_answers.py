"""Answers that are a function of one dataset's commit and a query: commit, ETag, memory, bytes, in that order."""

import asyncio
import time
from typing import Any, Final, Protocol, cast

import msgspec
from litestar import Litestar, Request, Response

from api.caching.cached_answers import CachedAnswers
from api.caching.conditional import JSON, json_coding
from api.caching.revision_choice import RevisionChoice
from api.caching.revisions import commit_at
from api.engine.engine import Engine
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.compression import coded
from api.http.etags import Validator, etag_of

_FORM: Final = "1"
"""Changes when the same data are written in another way, so that ETags of older versions do not match."""


class Compute(Protocol):
    """Makes JSON of a snapshot."""

    def __call__(self, snapshot: Snapshot, *, resident_only: bool) -> bytes:
        """The bytes.

        Raises:
            NotResident: `resident_only` is set and a file would have to be read, or much be computed, first.
        """


class DropInAnswers:
    """Answers of the drop-in endpoints; hot ones are sent without coming here again."""

    def __init__(self, engine: Engine, cached_answers: CachedAnswers) -> None:
        self._engine = engine
        self._cached_answers = cached_answers

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
        etag = etag_of(_FORM, type(query).__name__, commit.sha, query, coding)
        validator = Validator(etag, commit.sha, immutable=choice.is_immutable)
        found = self._cached_answers.find_of(
            request, validator, dataset=dataset, sha=commit.sha, newest=choice.is_current
        )
        if found is not None:
            return found
        began_s = time.perf_counter()
        body, used = coded(await _computed(compute, await dataset.at(commit)), coding)
        request.scope["state"]["timing"] = [f"rows;dur={(time.perf_counter() - began_s) * 1000:.2f}"]
        return self._cached_answers.keep(request, validator, body, media_type=JSON, coding=used)


async def _computed(compute: Compute, snapshot: Snapshot) -> bytes:
    """The bytes, on the event loop when that is quick."""
    try:
        return compute(snapshot, resident_only=True)
    except NotResident:
        return await asyncio.to_thread(compute, snapshot, resident_only=False)
