"""Turns a caller's SQL into an HTTP answer: commits, ETag, memory, the sandbox, encoding, in that order.

What the statement says is looked at by the sandbox's workers only.
"""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import duckdb
import polars as pl
from litestar import Request
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.caching.answers import VARY, Answer, Answers, Validator, etag_of
from api.caching.revisions import Pinned, revision_name, snapshots_at
from api.encoders.text import Change, changed
from api.engine.engine import Engine
from api.engine.snapshot import Snapshot
from api.http.context import RequestContext, principal_of
from api.http.disconnects import unless_disconnected
from api.http.form import INLINE_ROWS, AskedForm, Form, Written, choose_form, said_of, written
from api.http.metrics import Metrics
from api.http.reading import RevisionChoice
from api.sql.sandbox.errors import SqlUnavailable, SqlUnknownTable
from api.sql.sandbox.pool import SandboxPool, SqlResult
from api.sql.snapshot_tables import SqlTables
from datahub_assets.datasets.ledgers import published_parts_of

REPEATABLE: Final = "X-Repeatable"
"""`false` with an answer of now: the same statement may answer differently at the same commits."""
_REMEMBERED: Final = 4096
_INLINE_BYTES: Final = 256 * 1024
"""A larger stream is compressed in a thread."""
Params = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a caller asks: the text, the values bound to it, the commits it reads, and how to write the rows."""

    sql: str
    params: Params
    choice: RevisionChoice
    form: AskedForm


class SqlAnswers:
    """Answers of the SQL endpoints."""

    def __init__(self, engine: Engine, pool: SandboxPool, answers: Answers, *, metrics: Metrics) -> None:
        self._engine = engine
        self._pool = pool
        self._answers = answers
        self._metrics = metrics
        self._tables = SqlTables()
        self._uses: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        """By statement: the tables it reads, if it is repeatable. Known once it ran, it saves running it again."""

    async def answer(self, request: Request[Any, Any, Any], statement: Statement) -> Answer:
        """The rows of a statement; 304 when the caller of a GET has them already.

        Raises:
            SqlError, ApiError, HubError: said by name.        ClientDisconnected: the caller went first.
        """
        form = choose_form(request, statement.form)
        pinned = await snapshots_at(self._engine, statement.choice)
        digest = _digest(statement)
        known = self._uses.get(digest)
        if known is not None:
            self._uses.move_to_end(digest)
            found = self._answers.find(request, _validator(_used(pinned, known), digest, form))
            if found is not None:
                return found
        running = self._run(request, statement, [entry.snapshot for entry in pinned], form)
        try:
            result = await unless_disconnected(request.receive, running)
        except SqlUnknownTable:
            self._check_there(statement, pinned)
            raise
        used = _used(pinned, result.tables)
        RequestContext.of(request.scope).timings.append(f"sql;dur={result.elapsed_ms:.2f}")
        self._metrics.sql_seconds.observe(result.elapsed_ms / 1000)
        validator = None
        if result.repeatable:
            self._remember(digest, result.tables)
            validator = _validator(used, digest, form)
            unchanged = validator.unchanged(request, exists=True)
            if unchanged is not None:
                return unchanged
        return await self._written(request, result, form, used=used, validator=validator)

    def _check_there(self, statement: Statement, pinned: Sequence[Pinned]) -> None:
        """Raise RevisionUnknown or DatasetNotReady for a table that is not there yet, or was not at that time."""
        there = {part.name for entry in pinned for part in published_parts_of(entry.snapshot.spec)}
        for dataset in self._engine.datasets.values():
            tables = [re.escape(part.name) for part in published_parts_of(dataset.spec) if part.name not in there]
            if tables and re.search(rf"\b({'|'.join(tables)})\b", statement.sql, re.IGNORECASE):
                dataset.find(as_of_ms=statement.choice.as_of_ms)

    async def _run(
        self, request: Request[Any, Any, Any], statement: Statement, snapshots: Sequence[Snapshot], form: Form
    ) -> SqlResult:
        """Run it; once more when files were tidied away between looking and opening."""
        caller = principal_of(request).name
        for again in (True, False):
            try:
                return await self._pool.run(
                    statement.sql,
                    statement.params,
                    snapshot=await self._tables.of(snapshots),
                    caller=caller,
                    flat=form.format.name == "csv",
                )
            except SqlUnavailable:
                if not again:
                    raise
                self._tables = SqlTables()
        raise AssertionError  # the loop returns or raises

    async def _written(
        self,
        request: Request[Any, Any, Any],
        result: SqlResult,
        form: Form,
        *,
        used: Sequence[Pinned],
        validator: Validator | None,
    ) -> Answer:
        """The answer; without a validator it is of now and nobody keeps it."""
        threads, body = self._answers.threads, partial(_body, result, form)
        made = await (threads.large(request.receive, body) if _is_large(result, form) else threads.small(body))
        if validator is not None:
            return self._answers.keep(request, validator, made, **form.headers("sql"))
        passing = {name: value for name, value in form.headers("sql").items() if name != "Accept-Ranges"}
        return self._answers.not_kept(made, _passing(used) | passing | said_of(made.coding))

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
        confined = GaugeMetricFamily(
            "datahub_sql_confined", "Whether a layer of the sandbox holds on this system", labels=("layer",)
        )
        for layer, said in state.confinement.items():
            if said.startswith(("yes", "no")):
                confined.add_metric((layer,), said.startswith("yes"))
        yield confined


def _used(pinned: Sequence[Pinned], tables: Sequence[str]) -> list[Pinned]:
    """The datasets whose tables a statement reads; all of them where it reads none."""
    used = [entry for entry in pinned if any(part.name in tables for part in published_parts_of(entry.snapshot.spec))]
    return used or list(pinned)


def _passing(used: Sequence[Pinned]) -> dict[str, str]:
    return {"Vary": VARY, "X-Revision": _revision(used), "Cache-Control": "no-store", REPEATABLE: "false"}


def _revision(used: Sequence[Pinned]) -> str:
    return revision_name([entry.snapshot for entry in used])


def _digest(statement: Statement) -> bytes:
    asked = json.dumps([statement.sql, statement.params], default=str, sort_keys=True)
    return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _validator(used: Sequence[Pinned], digest: bytes, form: Form) -> Validator:
    commits = [(entry.snapshot.spec.name, entry.snapshot.sha) for entry in used]
    etag = etag_of("sql", duckdb.__version__, commits, digest, *form.named)
    return Validator(etag, _revision(used), immutable=all(entry.immutable for entry in used))


def _is_large(result: SqlResult, form: Form) -> bool:
    """Whether writing it takes longer than a thread costs."""
    return len(result.stream) > _INLINE_BYTES if form.format.name == "arrow" else result.table.num_rows > INLINE_ROWS


def _body(result: SqlResult, form: Form) -> Written:
    if form.format.name == "arrow":
        return written(bytes(result.stream), form.coding, form.format.media_type)
    return form.write(_presented(result, form))


def _presented(result: SqlResult, form: Form) -> pl.DataFrame:
    """The rows as the encoders know them. In text, decimals are numbers like any other, or text to the last digit."""
    frame = pl.DataFrame(result.table)
    if not form.format.textual:
        return frame
    exact = pl.String if form.numbers_as_text else pl.Float64

    def as_known(own: Any) -> Change | None:
        if isinstance(own, pl.Decimal):
            return lambda numbers: numbers.cast(exact)
        return (lambda numbers: numbers.cast(pl.Float64)) if isinstance(own, pl.Float32) else None

    return changed(frame, as_known)
