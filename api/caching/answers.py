"""The one door to answers of pinned commits: ETag and 304, finished answers in memory, and what must be worked out.

Everything after the commit is known is a function of (commit, query, form): that is what the strong ETag names.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, cast

import msgspec
from litestar import Litestar, Request, Response
from litestar.response import Stream

from api.caching.response_cache import CachedAnswer, Repeatable, ResponseCache, words_of
from api.engine.engine import Engine
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.context import RequestContext
from api.http.form import Form, Written, json_form, said_of, written
from api.http.metrics import Metrics
from api.http.reading import RevisionChoice
from api.http.work_threads import WorkThreads

_FORM: Final = "4"
"""Changes when the same answer is written in another way, so that ETags of older versions do not match."""
VARY: Final = "Accept, Accept-Encoding, Authorization"
JSON_VARY: Final = "Accept-Encoding, Authorization"
"""Of answers that are JSON whatever `Accept` says."""
COMPARED_TO: Final = "X-Compared-To"
_MOST_NAMED: Final = 64
"""Of a longer `If-None-Match` the rest is ignored: the answer is sent once more than needed."""
IMMUTABLE: Final = "private, max-age=31536000, immutable"
REVALIDATE: Final = "private, no-cache"
Answer = Response[bytes] | Stream


def etag_of(*named: Any) -> str:
    """The strong ETag of all an answer's bytes depend on, or of the bytes themselves."""
    return f'"{hashlib.blake2b(msgspec.msgpack.encode((_FORM, *named)), digest_size=16).hexdigest()}"'


def matches(if_none_match: str | None, etag: str, *, exists: bool = True) -> bool:
    """Whether `If-None-Match` names this ETag; compared weakly, as RFC 9110 (13.1.2) says.

    `*` alone means whatever `exists`; in a list it is not valid, and means nothing.
    """
    if if_none_match is None:
        return False
    if if_none_match == etag:
        return True
    if if_none_match.strip() == "*":
        return exists
    return etag in (entry.strip().removeprefix("W/") for entry in if_none_match.split(",", _MOST_NAMED)[:_MOST_NAMED])


@dataclass(frozen=True, slots=True)
class Validator:
    """An answer's ETag, the commits it is of, and whether the request names those, so that it never changes.

    `compared_to` is the commit a difference begins at.
    """

    etag: str
    revision: str | None = None
    compared_to: str | None = None
    immutable: bool = False
    vary: str = VARY

    @property
    def headers(self) -> dict[str, str]:
        """What is said of the answer whoever asks, and however it was asked for."""
        named = {"ETag": self.etag, "Vary": self.vary}
        if self.revision is not None:
            named["X-Revision"] = self.revision
        if self.compared_to is not None:
            named[COMPARED_TO] = self.compared_to
        return named

    @property
    def lifetime(self) -> dict[str, str]:
        """How long this caller may keep it; the same answer may be asked for with its commit and without."""
        return {"Cache-Control": IMMUTABLE if self.immutable else REVALIDATE}

    def unchanged(self, request: Request[Any, Any, Any], *, exists: bool = False) -> Response[bytes] | None:
        """The 304 for a caller who has the answer already; POST has none (RFC 9110, 13.1.2).

        As long as it is not known whether the answer `exists` or is a refusal, `*` does not match.
        """
        condition = request.headers.get("if-none-match")
        if request.method == "POST" or not matches(condition, self.etag, exists=exists):
            return None
        return Response(b"", status_code=304, headers=self.headers | self.lifetime)


class Compute(Protocol):
    """Makes the body of an answer from a snapshot, and headers of its own."""

    def __call__(self, snapshot: Snapshot, *, resident_only: bool) -> tuple[Written, dict[str, str]]:
        """The body.

        Raises:
            NotResident: `resident_only` is set and it would take more than a moment.
        """


class MakeJson(Protocol):
    """Makes JSON of a snapshot."""

    def __call__(self, snapshot: Snapshot, *, resident_only: bool) -> bytes:
        """The bytes. Raises as `Compute`."""


class Answers:
    """Answers, made once for each commit, query and form, and kept as long as there is room."""

    def __init__(self, engine: Engine, cache: ResponseCache, metrics: Metrics, threads: WorkThreads) -> None:
        self.threads = threads
        self._engine = engine
        self._cache = cache
        self._metrics = metrics

    @classmethod
    def of(cls, app: Litestar) -> "Answers":
        """The ones of an application; no dependency, as the many of those a request has would be its main cost."""
        return cast("Answers", app.state.answers)

    async def of_commit(
        self,
        request: Request[Any, Any, Any],
        dataset_name: str,
        query: msgspec.Struct,
        *,
        choice: RevisionChoice,
        form: Form,
        compute: Compute,
        lasts: bool = True,
        vary: str = VARY,
    ) -> Answer:
        """What `compute` makes of the commit that is meant, in that form; 304 when the caller has it already.

        A GET that names the commit, or means the newest whichever that is, is answered by `repeated` from then on,
        unless the same words mean another query later (`lasts` is false).
        `query` names all that `compute` depends on besides the route, the snapshot and the form.

        Raises:
            ApiError, HubError: said by name, and whatever `compute` raises.
        """
        dataset = self._engine.datasets.get(dataset_name)
        if dataset is None:
            raise self._engine.missing(dataset_name)
        commit = await dataset.commit(choice)
        route = request.scope["path_template"]
        etag = etag_of(route, commit.sha, query, *form.named)
        validator = Validator(etag, commit.sha, immutable=lasts and choice.is_immutable, vary=vary)
        if lasts and (choice.is_current or validator.immutable):
            repeatable = Repeatable(etag.encode(), dataset, commit.sha, validator.immutable, route)
            self._cache.remember(words_of(RequestContext.of(request.scope)), repeatable)
        found = self.find(request, validator)
        if found is not None:
            return found
        made, headers = await self._computed(request, compute, await dataset.at(commit))
        return self.keep(request, validator, made, **headers)

    async def json_of_commit(
        self,
        request: Request[Any, Any, Any],
        dataset_name: str,
        query: msgspec.Struct,
        *,
        choice: RevisionChoice,
        make: MakeJson,
        vary: str = JSON_VARY,
        lasts: bool = True,
    ) -> Answer:
        """The same for JSON that is made whole. Raises as `of_commit`."""
        form, context = json_form(request), RequestContext.of(request.scope)

        def compute(snapshot: Snapshot, *, resident_only: bool) -> tuple[Written, dict[str, str]]:
            with context.timed("rows"):
                return written(make(snapshot, resident_only=resident_only), form.coding), {}

        return await self.of_commit(
            request, dataset_name, query, choice=choice, form=form, compute=compute, vary=vary, lasts=lasts
        )

    def find(self, request: Request[Any, Any, Any], validator: Validator) -> Response[bytes] | None:
        """The 304 or the finished answer, when there is one."""
        unchanged = validator.unchanged(request)
        if unchanged is not None:
            return unchanged
        answer = self._cache.get(validator.etag.encode())
        (self._metrics.miss if answer is None else self._metrics.hit).inc()
        return None if answer is None else _sent(request, answer, validator)

    def keep(self, request: Request[Any, Any, Any], validator: Validator, made: Written, **more: str) -> Answer:
        """Keep a body that was made just now, unless it is made while it is sent, and answer with it.

        `more` are headers of its own.
        """
        headers = validator.headers | more | said_of(made.coding)
        if not isinstance(made.body, bytes):
            return self.not_kept(made, headers | validator.lifetime)
        answer = CachedAnswer(validator.etag.encode(), made.body, headers, made.media_type)
        self._cache.put(answer)
        return _sent(request, answer, validator)

    def not_kept(self, made: Written, headers: dict[str, str]) -> Answer:
        """An answer that nobody keeps here."""
        if isinstance(made.body, bytes):
            return Response(made.body, status_code=200, headers=headers, media_type=made.media_type)
        return Stream(self._chunks(made.body), headers=headers, media_type=made.media_type)

    async def _chunks(self, chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks, each made in a thread."""
        while (chunk := await self.threads.next_of(chunks)) is not None:
            yield chunk

    async def _computed(
        self, request: Request[Any, Any, Any], compute: Compute, snapshot: Snapshot
    ) -> tuple[Written, dict[str, str]]:
        """The body; one that takes a moment does not wait behind those that take more. Raises as `compute`."""
        try:
            if self.threads.idle:  # as `small` would, and spares the commonest requests a step
                return compute(snapshot, resident_only=True)
            return await self.threads.small(compute, snapshot, resident_only=True)
        except NotResident:
            return await self.threads.large(request.receive, partial(compute, snapshot, resident_only=False))


def _sent(request: Request[Any, Any, Any], answer: CachedAnswer, validator: Validator) -> Response[bytes]:
    return validator.unchanged(request, exists=True) or Response(
        answer.body, status_code=200, headers=answer.headers | validator.lifetime, media_type=answer.media_type
    )
