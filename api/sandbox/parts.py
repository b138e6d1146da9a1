"""The parts of a table, one per file: batches of the columns asked for, skipping rows that cannot match. No SQL here.

A part gives the table's types whatever the file holds: text as plain strings (DuckDB pushes no filter into string
views), columns the file lacks as null.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_PARQUET_MAGIC: Final = b"PAR1"
_LEAST_ROWS_PER_RUN: Final = 4
_LITTLE_ENOUGH: Final = 16
"""Looking for fewer rows than this part of a batch costs more than filtering them."""


class Part(Protocol):
    """Rows of one file."""

    def batches(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """These columns of at least all rows whose columns have the wanted values."""
        ...


def open_part(buffer: pa.Buffer, schema: pa.Schema) -> Part:
    """The part that a file's bytes are, read as the table's schema.

    Raises:
        pa.ArrowInvalid: it is neither an Arrow IPC file nor parquet.
    """
    if buffer.size >= len(_PARQUET_MAGIC) and buffer.slice(0, len(_PARQUET_MAGIC)).to_pybytes() == _PARQUET_MAGIC:
        return ParquetPart(buffer, schema)
    return ArrowPart(buffer, schema)


def _conform(batch: pa.RecordBatch, columns: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    fields = [schema.field(name) for name in columns]
    present = set(batch.schema.names)
    arrays = [
        batch.column(field.name).cast(field.type) if field.name in present else pa.nulls(batch.num_rows, field.type)
        for field in fields
    ]
    if not arrays:  # `count(*)` asks for rows without columns
        return batch.select([])
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


@dataclass(frozen=True, slots=True)
class _Runs:
    """Where each value of a column lies in a batch: `values[i]` fills the rows up to `ends[i]`."""

    values: pa.Array
    ends: pa.Array

    def rows_of(self, value: str) -> list[tuple[int, int]]:
        """(first row, number of rows) of each run of this value."""
        ranges = []
        for run in pc.indices_nonzero(pc.equal(self.values, value)).to_pylist():
            start = self.ends[run - 1].as_py() if run else 0
            ranges.append((start, self.ends[run].as_py() - start))
        return ranges


class TablePart:
    """A table in memory."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def batches(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """As `Part` says."""
        yield from self._table.select(columns).to_batches()


class ArrowPart:
    """An Arrow IPC file, mapped. Where the values of a text column lie is found out when it is first asked for."""

    def __init__(self, buffer: pa.Buffer, schema: pa.Schema) -> None:
        reader = pa.ipc.open_file(buffer)
        self._schema = schema
        self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self._runs: dict[tuple[int, str], _Runs | None] = {}

    def batches(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """As `Part` says."""
        for number, batch in enumerate(self._batches):
            for start, length in self._rows_where(number, wanted):
                yield _conform(batch.slice(start, length), columns, self._schema)

    def _rows_where(self, number: int, wanted: Mapping[str, str]) -> list[tuple[int, int]]:
        """(first row, number of rows) that may match; columns are tried in order until that is little enough."""
        rows = self._batches[number].num_rows
        best = [(0, rows)]
        for column in self._schema.names:
            runs = self._runs_of(number, column) if column in wanted else None
            if runs is None:
                continue
            best = min(best, runs.rows_of(wanted[column]), key=_total)
            if _total(best) * _LITTLE_ENOUGH <= rows:
                break
        return best

    def _runs_of(self, number: int, column: str) -> _Runs | None:
        key = (number, column)
        if key not in self._runs:
            self._runs[key] = _runs_in(self._batches[number], column, self._schema)
        return self._runs[key]


def _total(ranges: Sequence[tuple[int, int]]) -> int:
    return sum(length for _start, length in ranges)


def _runs_in(batch: pa.RecordBatch, column: str, schema: pa.Schema) -> _Runs | None:
    """The runs of a text column; None where looking them up would cost more than it saves."""
    if column not in batch.schema.names or not pa.types.is_string(schema.field(column).type):
        return None
    encoded = pc.run_end_encode(batch.column(column).cast(pa.string()))
    if len(encoded.values) * _LEAST_ROWS_PER_RUN > max(batch.num_rows, _LEAST_ROWS_PER_RUN):
        return None
    return _Runs(values=encoded.values, ends=encoded.run_ends)


class ParquetPart:
    """A parquet file: row groups whose statistics rule the wanted values out are not read."""

    def __init__(self, buffer: pa.Buffer, schema: pa.Schema) -> None:
        self._schema = schema
        self._file = pq.ParquetFile(pa.BufferReader(buffer), pre_buffer=False)
        self._present = set(self._file.schema_arrow.names)
        self._position = {
            self._file.metadata.schema.column(index).path: index for index in range(self._file.metadata.num_columns)
        }

    def batches(self, columns: Sequence[str], wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """As `Part` says."""
        groups = [number for number in range(self._file.num_row_groups) if self._may_hold(number, wanted)]
        if not groups:
            return
        present = [name for name in columns if name in self._present]
        # One thread: Arrow pulls from here in a thread of the pool that reading would wait for.
        for batch in self._file.iter_batches(65_536, row_groups=groups, columns=present, use_threads=False):
            yield _conform(batch, columns, self._schema)

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
