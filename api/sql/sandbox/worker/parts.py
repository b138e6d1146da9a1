"""The parts of a table, one per file: the columns asked for, skipping rows that cannot match.

Parts have the types and columns of their files; `joined` gives them the table's: text as plain strings (DuckDB pushes
no filter into string views), columns a file lacks as null.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_PARQUET_MAGIC: Final = b"PAR1"
_LEAST_ROWS_PER_RUN: Final = 16
_LITTLE_ENOUGH: Final = 16
"""Looking for fewer rows than this part of a batch costs more than filtering them."""
_JOINED_ROWS: Final = 65_536
"""Cuts are joined up to so many rows: each batch costs the scan as much as some 5,000 rows do."""

_Range = tuple[int, int]
"""First row, number of rows."""
_Span = tuple[Any, Any]


class Part(Protocol):
    """Rows of one file."""

    def cuts(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """Those of these columns it has, of at least all rows whose columns have the wanted values; its own types."""
        ...

    def span(self, column: str) -> _Span | None:
        """The least and the largest value of a column of times; None where that is not known, or some are missing."""
        ...


def open_part(buffer: pa.Buffer, schema: pa.Schema) -> Part:
    """The part that a file's bytes are, read as the table's schema.

    Raises:
        pa.ArrowInvalid: it is neither an Arrow IPC file nor parquet.
    """
    if buffer.size >= len(_PARQUET_MAGIC) and buffer.slice(0, len(_PARQUET_MAGIC)).to_pybytes() == _PARQUET_MAGIC:
        return ParquetPart(buffer)
    return ArrowPart(buffer, schema)


def joined(cuts: Iterable[pa.RecordBatch], columns: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of the cuts in order, with these columns and the types of `schema`; small cuts become one batch."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for cut in cuts:
        if waiting and (rows + cut.num_rows > _JOINED_ROWS or not cut.schema.equals(waiting[0].schema)):
            yield _conform(waiting, columns, schema)
            waiting, rows = [], 0
        waiting.append(cut)
        rows += cut.num_rows
    if waiting:
        yield _conform(waiting, columns, schema)


def _conform(cuts: Sequence[pa.RecordBatch], columns: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    batch = cuts[0] if len(cuts) == 1 else pa.concat_batches(cuts)
    present = set(batch.schema.names)
    if not columns:  # `count(*)` asks for rows without columns
        return batch.select([])
    fields = [schema.field(name) for name in columns]
    arrays = [
        batch.column(field.name).cast(field.type) if field.name in present else pa.nulls(batch.num_rows, field.type)
        for field in fields
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


class TablePart:
    """A table in memory."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def cuts(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """As `Part` says."""
        yield from self._table.select(columns).to_batches()

    def span(self, column: str) -> _Span | None:
        """As `Part` says."""
        return _span_of(self._table, column)


class ArrowPart:
    """An Arrow IPC file, mapped. Where the values of a text column lie is found out when it is first asked for."""

    def __init__(self, buffer: pa.Buffer, schema: pa.Schema) -> None:
        reader = pa.ipc.open_file(buffer)
        self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self._schema = reader.schema
        present = set(reader.schema.names)
        self._texts = [field.name for field in schema if field.name in present and pa.types.is_string(field.type)]
        self._runs: dict[tuple[int, str], Mapping[str, list[_Range]] | None] = {}

    def cuts(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """As `Part` says."""
        for number, batch in enumerate(self._batches):
            ranges = self._rows_where(number, wanted)
            if ranges:
                present = batch.select([name for name in columns if name in batch.schema.names])
                for start, length in ranges:
                    yield present.slice(start, length)

    def span(self, column: str) -> _Span | None:
        """As `Part` says; the column is read for it."""
        return _span_of(pa.Table.from_batches(self._batches, self._schema), column)

    def _rows_where(self, number: int, wanted: Mapping[str, str]) -> list[_Range]:
        """The rows that may match; columns are tried in order until that is little enough."""
        rows = self._batches[number].num_rows
        best = [(0, rows)]
        for column in self._texts:
            runs = self._runs_of(number, column) if column in wanted else None
            if runs is None:
                continue
            best = min(best, runs.get(wanted[column], []), key=_total)
            if _total(best) * _LITTLE_ENOUGH <= rows:
                break
        return best

    def _runs_of(self, number: int, column: str) -> Mapping[str, list[_Range]] | None:
        key = (number, column)
        if key not in self._runs:
            self._runs[key] = _runs_in(self._batches[number], column)
        return self._runs[key]


def _span_of(table: pa.Table, column: str) -> _Span | None:
    if column not in table.schema.names or not table.num_rows or table[column].null_count:
        return None
    extremes = pc.min_max(table[column])
    return extremes["min"], extremes["max"]


def _total(ranges: Sequence[_Range]) -> int:
    return sum(length for _start, length in ranges)


def _runs_in(batch: pa.RecordBatch, column: str) -> Mapping[str, list[_Range]] | None:
    """Where each value of a text column lies; None where knowing that would cost more than it saves."""
    encoded = pc.run_end_encode(batch.column(column).cast(pa.string()))
    if len(encoded.values) * _LEAST_ROWS_PER_RUN > max(batch.num_rows, _LEAST_ROWS_PER_RUN):
        return None
    runs: dict[str, list[_Range]] = {}
    start = 0
    for value, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        runs.setdefault(value, []).append((start, end - start))
        start = end
    return runs


class ParquetPart:
    """A parquet file: row groups whose statistics rule the wanted values out are not read."""

    def __init__(self, buffer: pa.Buffer) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(buffer), pre_buffer=False)
        self._present = set(self._file.schema_arrow.names)
        self._position = {
            self._file.metadata.schema.column(index).path: index for index in range(self._file.metadata.num_columns)
        }

    def cuts(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """As `Part` says."""
        groups = [number for number in range(self._file.num_row_groups) if self._may_hold(number, wanted)]
        if not groups:
            return
        present = [name for name in columns if name in self._present]
        # One thread: Arrow pulls from here in a thread of the pool that reading would wait for.
        yield from self._file.iter_batches(_JOINED_ROWS, row_groups=groups, columns=present, use_threads=False)

    def span(self, column: str) -> _Span | None:
        """As `Part` says, by the statistics of all row groups."""
        if column not in self._position or not self._file.num_row_groups:
            return None
        seen: list[Any] = [
            self._file.metadata.row_group(group).column(self._position[column]).statistics
            for group in range(self._file.num_row_groups)
        ]
        if any(one is None or not one.has_min_max or one.null_count != 0 for one in seen):
            return None
        return min(one.min for one in seen), max(one.max for one in seen)

    def _may_hold(self, group: int, wanted: Mapping[str, str]) -> bool:
        for column, value in wanted.items():
            if column not in self._position:
                continue
            statistics: Any = self._file.metadata.row_group(group).column(self._position[column]).statistics
            if statistics is None or not statistics.has_min_max or not isinstance(statistics.min, str):
                continue
            if not statistics.min <= value <= statistics.max:
                return False
        return True
