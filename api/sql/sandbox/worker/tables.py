"""The snapshot's tables as DuckDB scans them: it hands down a filter, we hand up the parts' rows."""

import base64
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy.ma
import pyarrow as pa
import pyarrow.acero
import pyarrow.dataset as ds

from api.arrow_bytes import of_equal_size
from api.sql.sandbox.worker.mapped_files import map_descriptor
from api.sql.sandbox.worker.parts import Part, TablePart, joined, open_part
from api.sql.sandbox.worker.pruning import Pruning

_LOADED: Final = (numpy.ma, pyarrow.acero, ZoneInfo("UTC"))
"""What pyarrow loads at first use, when no file can be opened any more: for arrays, filters, and times in filters."""
_SNAPSHOTS_KEPT: Final = 4
_SCANNED_ROWS: Final = 65_536
"""Of a batch that DuckDB scans, a multiple of its vectors' 2,048: each batch costs it as much as some 5,000 rows."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """What DuckDB reads rows from: all it asks for is a reader.

    Its batches end where the number of rows says, whatever files the rows come from and whatever was skipped in them:
    where a vector of DuckDB's begins decides which floats are added first.
    """

    batches: Iterable[pa.RecordBatch]
    schema: pa.Schema

    def to_reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self.schema, of_equal_size(self.batches, _SCANNED_ROWS))


class SnapshotTable(ds.InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """A table over parts. DuckDB calls `scanner` with the columns and the filter of its scan.

    For `symbol = 'BTCUSDT'` and the like, parts skip what cannot match, and for a range of times whole parts are
    skipped; the filter is applied in full to the rest, so skipping need not be exact.
    """

    def __init__(self, schema: pa.Schema, parts: list[Part]) -> None:
        super().__init__([], schema=schema)
        self._parts = parts

    @cached_property
    def _pruning(self) -> Pruning:
        return Pruning(self._parts, self.schema)

    def scanner(self, columns: Any = None, filter: Any = None, **options: Any) -> _Scan:  # noqa: A002 - Arrow's name
        """What DuckDB reads those columns of those rows from."""
        shown = list(self.schema.names if columns is None else columns)
        if filter is None:
            return _Scan(_batches(self._parts, shown, {}, self.schema), _part_of(self.schema, shown))
        mentions = str(filter)  # an Arrow expression does not list its fields; a column too many does no harm
        read = [name for name in self.schema.names if name in shown or name in mentions]
        wanted = {name: value for name, value in ds.get_partition_keys(filter).items() if isinstance(value, str)}
        schema = _part_of(self.schema, read)
        few = list(islice(_batches(self._parts, read, wanted, self.schema), 2))
        if len(few) < 2:  # noqa: PLR2004 - a second one means more rows than are worth filtering at once
            found = pa.Table.from_batches(few, schema).filter(filter).select(shown)
            return _Scan(found.to_batches(), found.schema)
        # Asking which parts are left takes some 30 µs for each: it pays where many rows would be read.
        batches = _batches(self._pruning.left_by(filter, mentions), read, wanted, self.schema)
        found = ds.Scanner.from_batches(batches, schema=schema, columns=shown, filter=filter, **options).to_reader()
        return _Scan(found, found.schema)


def _batches(
    parts: Iterable[Part], columns: list[str], wanted: Mapping[str, str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    return joined(chain.from_iterable(part.cuts(columns, wanted) for part in parts), columns, schema)


def _part_of(schema: pa.Schema, names: list[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


class Snapshots:
    """The snapshots this worker knows by key, and the parts they share. The one used longest ago goes first."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}
        self._known: OrderedDict[str, tuple[dict[str, SnapshotTable], set[int]]] = OrderedDict()

    def tables(self, key: str) -> dict[str, SnapshotTable]:
        """The tables of a snapshot that was loaded before."""
        self._known.move_to_end(key)
        return self._known[key][0]

    def load(self, key: str, plan: dict[str, dict[str, Any]], files: Iterable[tuple[int, int, int]]) -> None:
        """Make a snapshot known.

        Args:
            plan: by table name: `schema` (base64 of an Arrow IPC schema) and `files` (the server's numbers of them).
            files: number, size and descriptor of each file that is new here; closed before the next is taken.

        Raises:
            OSError, pa.ArrowInvalid: a file cannot be mapped, or is not what it should be.
        """
        mapped: dict[int, pa.Buffer] = {}
        for number, size, descriptor in files:
            try:
                mapped[number] = map_descriptor(descriptor, size)
            finally:
                os.close(descriptor)
        tables: dict[str, SnapshotTable] = {}
        used: set[int] = set()
        for name, table in plan.items():
            schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(table["schema"])))
            for number in table["files"]:
                if number not in self._parts:
                    self._parts[number] = open_part(mapped[number], schema)
            tables[name] = SnapshotTable(schema, [self._parts[number] for number in table["files"]])
            used.update(table["files"])
        self._known[key] = (tables, used)

    def add(self, key: str, tables: Mapping[str, pa.Table]) -> None:
        """Make tables in memory known as a snapshot."""
        loaded = {name: SnapshotTable(table.schema, [TablePart(table)]) for name, table in tables.items()}
        self._known[key] = (loaded, set())

    def forgotten(self) -> tuple[list[str], list[int]]:
        """Drop what is over the number kept: keys of the snapshots, and numbers of files that no snapshot needs now."""
        keys = [self._known.popitem(last=False)[0] for _ in range(len(self._known) - _SNAPSHOTS_KEPT)]
        needed: set[int] = set().union(*(used for _tables, used in self._known.values()))
        dropped = [number for number in self._parts if number not in needed]
        for number in dropped:
            del self._parts[number]
        return keys, dropped
