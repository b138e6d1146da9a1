"""Turns a caller's SQL into an HTTP answer: commits, ETag, cache, the sandbox, encoding, headers, in that order.

What the statement says is looked at by the sandbox's workers only.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import polars as pl
from litestar import Request, Response
from litestar.response import Stream
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.answers import IMMUTABLE, REVALIDATE, VARY, matches
from api.auth import Principal
from api.bodies import STREAMED_ROWS, body_of, streamed
from api.cache import Answer, AnswerCache
from api.encoders.text import changed
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.engine.sqltables import SqlTables
from api.metrics import Metrics
from api.negotiation import Form, choose_form
from api.presence import CLOSED_STATUS, CallerLeft, unless_left
from api.queries import RevisionChoice
from api.revisions import Pinned, revision_name, snapshots_at
from api.sandbox.errors import SqlUnavailable
from api.sandbox.pool import SandboxPool, SqlResult
from datahub_assets.domain.ledgers import parts_of

_FORM: Final = "1"
"""Changes when the same answer is written in another way, so that ETags of older versions do not match."""
_INLINE_ROWS: Final = 2_000
_REMEMBERED: Final = 4096
Params = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a caller asks: the text, the values bound to it, the commits it reads, and how to write the rows."""

    sql: str
    params: Params
    choice: RevisionChoice
    format: str | None
    numbers: str | None


class SqlAnswers:
    """Answers of the SQL endpoints."""

    def __init__(self, engine: Engine, pool: SandboxPool, cache: AnswerCache, *, metrics: Metrics) -> None:
        self._engine = engine
        self._pool = pool
        self._cache = cache
        self._metrics = metrics
        self._tables = SqlTables()
        self._uses: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        """By statement: the tables it reads, if it is repeatable. Known once it ran, it saves running it again."""

    async def answer(self, request: Request[Any, Any, Any], statement: Statement) -> Response[bytes] | Stream:
        """The rows of a statement; 304 when the caller of a GET has them already.

        Raises:
            SqlError, ApiError, HubError: said by name.
        """
        form = choose_form(request, statement.format, statement.numbers)
        pinned = await snapshots_at(self._engine, statement.choice)
        digest = _digest(statement)
        known = self._uses.get(digest)
        if known is not None:
            self._uses.move_to_end(digest)
            found = self._without_running(request, _used(pinned, known), digest, form)
            if found is not None:
                return found
        running = self._run(request, statement, [entry.snapshot for entry in pinned], form)
        try:
            result = await unless_left(request.receive, running)
        except CallerLeft:
            return Response(b"", status_code=CLOSED_STATUS, headers={"Cache-Control": "no-store"})
        used = _used(pinned, result.tables)
        headers = {"Vary": VARY, "X-Revision": revision_name([entry.snapshot for entry in used])}
        request.scope["state"]["timing"] = [f"sql;dur={result.elapsed_ms:.2f}"]
        self._metrics.sql_seconds.observe(result.elapsed_ms / 1000)
        if not result.repeatable:
            return await self._written(result, form, headers | {"Cache-Control": "no-store"})
        self._remember(digest, result.tables)
        headers["ETag"] = _etag(used, digest, form)
        if _has_it(request, headers["ETag"]):
            return Response(b"", status_code=304, headers=headers | _lasting(used))
        return await self._written(result, form, headers | _lasting(used))

    def _without_running(
        self, request: Request[Any, Any, Any], used: Sequence[Pinned], digest: bytes, form: Form
    ) -> Response[bytes] | None:
        etag = _etag(used, digest, form)
        headers = {"ETag": etag, "Vary": VARY, "X-Revision": revision_name([entry.snapshot for entry in used])}
        if _has_it(request, etag):
            return Response(b"", status_code=304, headers=headers | _lasting(used))
        answer = self._cache.get(etag.encode())
        (self._metrics.miss if answer is None else self._metrics.hit).inc()
        if answer is None:
            return None
        return Response(
            answer.body, status_code=200, headers=answer.headers | _lasting(used), media_type=answer.media_type
        )

    async def _run(
        self, request: Request[Any, Any, Any], statement: Statement, snapshots: Sequence[Snapshot], form: Form
    ) -> SqlResult:
        """Run it; once more when files were tidied away between looking and opening."""
        principal: Principal = request.scope["state"]["principal"]
        for again in (True, False):
            try:
                return await self._pool.run(
                    statement.sql,
                    statement.params,
                    snapshot=self._tables.of(snapshots),
                    caller=principal.name,
                    flat=form.format.name == "csv",
                )
            except SqlUnavailable:
                if not again:
                    raise
                self._tables = SqlTables()
        raise AssertionError  # the loop returns or raises

    async def _written(self, result: SqlResult, form: Form, headers: dict[str, str]) -> Response[bytes] | Stream:
        kind = form.format.media_type
        if form.format.name == "arrow" and not form.coding:
            return self._finished(bytes(result.stream), kind, headers)
        frame = _presented(result, form)
        if frame.height > STREAMED_ROWS and form.format.textual:
            return streamed(frame, form, headers)
        inline = frame.height <= _INLINE_ROWS
        body, coding = body_of(frame, form) if inline else await asyncio.to_thread(body_of, frame, form)
        return self._finished(body, kind, headers | ({"Content-Encoding": coding} if coding else {}))

    def _finished(self, body: bytes, media_type: str, headers: dict[str, str]) -> Response[bytes]:
        if "ETag" in headers:
            kept = {name: value for name, value in headers.items() if name != "Cache-Control"}
            self._cache.put(Answer(etag=headers["ETag"].encode(), body=body, headers=kept, media_type=media_type))
        return Response(body, status_code=200, headers=headers, media_type=media_type)

    def _remember(self, digest: bytes, tables: tuple[str, ...]) -> None:
        self._uses[digest] = tables
        while len(self._uses) > _REMEMBERED:
            self._uses.popitem(last=False)


class SandboxCollector(Collector):
    """Gauges and counters of the SQL sandbox."""

    def __init__(self, pool: SandboxPool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """The state of the pool, read now."""
        state = self._pool.state
        yield GaugeMetricFamily("datahub_sql_running", "Statements that run now", value=state.running)
        yield GaugeMetricFamily("datahub_sql_waiting", "Statements that wait for a worker", value=state.waiting)
        yield CounterMetricFamily("datahub_sql_answered", "Statements answered with rows", value=state.answered)
        yield CounterMetricFamily(
            "datahub_sql_workers_replaced", "Workers replaced, most of them killed at a limit", value=state.replaced
        )


def _has_it(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the caller of a GET has this answer already."""
    return request.method != "POST" and matches(request.headers.get("if-none-match"), etag)


def _used(pinned: Sequence[Pinned], tables: Sequence[str]) -> list[Pinned]:
    """The datasets whose tables a statement reads; all of them where it reads none."""
    used = [entry for entry in pinned if any(part.name in tables for part in parts_of(entry.snapshot.spec))]
    return used or list(pinned)


def _lasting(used: Sequence[Pinned]) -> dict[str, str]:
    return {"Cache-Control": IMMUTABLE if all(entry.lasting for entry in used) else REVALIDATE}


def _digest(statement: Statement) -> bytes:
    asked = json.dumps([statement.sql, statement.params], default=str, sort_keys=True)
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _etag(used: Sequence[Pinned], digest: bytes, form: Form) -> str:
    commits = [(entry.snapshot.spec.name, entry.snapshot.sha) for entry in used]
    named = (_FORM, commits, digest, form.format.name, form.numbers_as_text, form.coding)
    return f'"{hashlib.blake2b(msgspec.msgpack.encode(named), digest_size=16).hexdigest()}"'


def _presented(result: SqlResult, form: Form) -> pl.DataFrame:
    """The rows as the encoders know them. In text, decimals are numbers like any other, or text to the last digit."""
    frame = pl.DataFrame(result.table)
    if not form.format.textual:
        return frame
    exact = pl.String if form.numbers_as_text else pl.Float64
    exactly = changed(frame, pl.Decimal, lambda numbers: numbers.cast(exact))
    return changed(exactly, pl.Float32, lambda numbers: numbers.cast(pl.Float64))
