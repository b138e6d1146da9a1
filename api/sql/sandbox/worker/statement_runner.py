"""Runs one statement on DuckDB, in the worker, and bounds its answer.

One DuckDB per worker, one new connection per statement: temporary objects, variables and settings of a connection go
with it, and a SELECT can change nothing that outlives it.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from api.arrow_bytes import nothing_under_nulls, of_equal_size
from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.worker.admission import Admitted, Invalid, NoTable, Refused, admit
from api.sql.sandbox.worker.error_messages import Failure, byte_offset_of, clean, failure_of, place_of
from api.sql.sandbox.worker.result_columns import Unpresentable, presentable, settled
from api.sql.sandbox.worker.tables import SnapshotTable
from api.sql.sandbox.worker.volatile import volatile_functions

_BATCH_ROWS: Final = 8192
_ANSWER_ROWS: Final = 65_536
"""Rows of a batch of an answer."""
_REMEMBERED: Final = 64
_REMEMBERED_CHARS: Final = 10_000
_DUCKDB_SHARE: Final = 0.75
"""Share of a statement's memory DuckDB may plan with; the rest is for what it does not count (strings, the answer)."""
Params = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatementResult:
    """A finished answer: Arrow IPC stream, columns as (name, DuckDB type), and whether asking again gives the same."""

    stream: pa.Buffer
    rows: int
    columns: list[tuple[str, str]]
    tables: tuple[str, ...]
    repeatable: bool
    elapsed_ms: float


class StatementRunner:
    """A DuckDB that reaches nothing but the tables it is handed."""

    def __init__(self, limits: SqlLimits) -> None:
        """Open the database. It has one thread: with two, the order in which rows are added up, seen first or given
        out is another one each time."""
        self._limits = limits
        volatile_functions()  # before this process is confined: it opens a database
        self._admissions: OrderedDict[tuple[str, frozenset[str]], Admitted] = OrderedDict()
        """Of short statements seen lately: callers send the same text with other values, and reading it costs most of a
        millisecond."""
        self._database = duckdb.connect(":memory:", config={"threads": 1, "async_threads": 0})

    def seal(self) -> None:
        """Shut all that a SELECT could get out by."""
        for name, value in {
            "TimeZone": "'UTC'",
            "memory_limit": f"'{int(self._limits.memory_mb * _DUCKDB_SHARE)}MiB'",
            "temp_directory": "''",
            "errors_as_json": "true",
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "enable_external_access": "false",
            "lock_configuration": "true",
        }.items():
            self._database.execute(f"SET GLOBAL {name} = {value}")

    def run(
        self, sql: str, params: Params, tables: Mapping[str, SnapshotTable], *, flat: bool = False
    ) -> StatementResult:
        """Admit, run and bound one statement; `flat` turns structs and lists, but those of texts, into JSON text.

        Raises:
            Failure: what the caller is to be told.
        """
        started = time.perf_counter()
        with self._database.cursor() as connection:
            admitted = self._admitted(connection, sql, tables)
            for name in admitted.tables:
                connection.register(name, tables[name])
            try:
                return self._answer(connection, admitted, params, flat=flat, started=started)
            except (duckdb.Error, pa.ArrowException, MemoryError) as error:
                raise failure_of(
                    error, sql=sql, shift=admitted.shift, locate=lambda: _fault_of(connection, admitted, params)
                ) from None

    def _admitted(
        self, connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, SnapshotTable]
    ) -> Admitted:
        key = (sql, frozenset(tables))
        known = self._admissions.get(key)
        if known is not None:
            self._admissions.move_to_end(key)
            return known
        admitted = self._judged(connection, sql, tables)
        if len(sql) <= _REMEMBERED_CHARS:
            self._admissions[key] = admitted
            if len(self._admissions) > _REMEMBERED:
                self._admissions.popitem(last=False)
        return admitted

    def _judged(self, connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, SnapshotTable]) -> Admitted:
        def serialize(body: str) -> str:
            return str(connection.execute("SELECT json_serialize_sql(?)", [body]).fetchall()[0][0])

        try:
            return admit(sql, tables=tables.keys(), serialize=serialize)
        except Refused as refused:
            raise Failure("sql_rejected", str(refused), place=place_of(sql, refused.offset)) from None
        except Invalid as invalid:
            code = "sql_unknown_table" if isinstance(invalid, NoTable) else "sql_invalid"
            raise Failure(code, clean(str(invalid)), place=place_of(sql, invalid.offset)) from None
        except (RecursionError, json.JSONDecodeError, MemoryError):
            raise Failure("sql_crashed", "the statement is nested too deeply") from None
        except duckdb.Error as error:
            raise failure_of(error, sql=sql, shift=-(10**9), locate=lambda: None) from None

    def _answer(
        self, connection: duckdb.DuckDBPyConnection, admitted: Admitted, params: Params, *, flat: bool, started: float
    ) -> StatementResult:
        relation = connection.sql(admitted.prefix + admitted.body, params=params or None)
        if relation is None:
            raise Failure("sql_rejected", "the statement gives no rows")
        projection = presentable(relation.types, flat=flat)
        table = self._collected(relation if projection is None else relation.project(projection))
        try:
            table = settled(table, relation.columns)
        except Unpresentable as error:
            raise Failure("sql_invalid", str(error)) from None
        return StatementResult(
            stream=self._stream(table),
            rows=table.num_rows,
            columns=list(zip(table.column_names, map(str, relation.types), strict=True)),
            tables=admitted.tables,
            repeatable=admitted.repeatable,
            elapsed_ms=(time.perf_counter() - started) * 1000,
        )

    def _collected(self, relation: duckdb.DuckDBPyRelation) -> pa.Table:
        """All rows, unless they are more than an answer may have: then no more than that is ever held."""
        reader = relation.to_arrow_reader(_BATCH_ROWS)
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
            if rows > self._limits.max_rows:
                raise Failure(
                    "sql_too_large",
                    f"the answer has more than {self._limits.max_rows:,} rows; aggregate, filter or add a LIMIT",
                )
            self._check_size(size)
        return pa.Table.from_batches(batches, schema=reader.schema)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise Failure(
                "sql_too_large",
                f"the answer has more than {self._limits.max_bytes:,} bytes; choose fewer columns or rows",
            )

    def _stream(self, table: pa.Table) -> pa.Buffer:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            for batch in of_equal_size(table.to_batches(), _ANSWER_ROWS):
                writer.write_batch(nothing_under_nulls(batch))
        stream = sink.getvalue()
        self._check_size(stream.size)
        return stream


def _fault_of(connection: duckdb.DuckDBPyConnection, admitted: Admitted, params: Params) -> int | None:
    """Byte offset of the fault of a statement that cannot be bound; `Connection.sql` drops it, an EXPLAIN names it."""
    explain = "EXPLAIN "
    try:
        connection.execute(explain + admitted.body, params or None)
    except duckdb.Error as error:
        offset = byte_offset_of(error)
        return None if offset is None else offset - len(explain) + len(admitted.prefix)
    return None
