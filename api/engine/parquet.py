"""Reads a dataset's parquet files with DuckDB: into an index of series, and into Arrow files that can be mapped."""

import hashlib
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import duckdb
import msgspec
import polars as pl
import polars.selectors as cs
import pyarrow as pa

from api.engine.datafile import FileIndex, Rows, Span
from api.engine.hub.catalog import Catalog
from api.engine.in_order import is_as_mapped
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.rows import EPOCH_MS
from datahub_assets.domain.sql_names import quoted

_LOG: Final = logging.getLogger(__name__)
_BATCH_ROWS: Final = 100_000
_FORM: Final = "4"
"""Changes when the way files are read or kept does, so that what an older version kept is not taken for ours."""
_DUCKDB_TYPES: Final = {
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.TEXTS: "VARCHAR[]",
    ColumnKind.NUMBER: "DOUBLE",
    ColumnKind.COUNT: "BIGINT",
    ColumnKind.FLAG: "BOOLEAN",
    ColumnKind.TIME: "TIMESTAMP WITH TIME ZONE",
}


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB for reading trusted local files; take one `cursor()` per thread. It may spill sorts to `scratch`."""
    connection = duckdb.connect(
        config={
            "threads": "2",
            "memory_limit": "1GB",
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


class FileReader:
    """Reads files of one dataset. What it learns is kept by content, so a content is read once, restarts included."""

    def __init__(
        self, spec: DatasetSpec, *, connection: duckdb.DuckDBPyConnection, catalog: Catalog, mapped: Path
    ) -> None:
        self._spec = spec
        self._connection = connection
        self._catalog = catalog
        self._mapped = mapped
        self._mapped.mkdir(parents=True, exist_ok=True)
        kinds = [(column.name, column.kind) for column in spec.columns]
        shape = repr((_FORM, kinds, spec.sort, spec.time, spec.series, spec.group, spec.final))
        self._reading = hashlib.blake2b(shape.encode(), digest_size=4).hexdigest()

    def index(self, blob: Path, *, group: str | None) -> FileIndex:
        """The index of a parquet file.

        Raises:
            HubContentInvalid: it is not parquet, lacks a column that is never null, has a row without a key, or
                rows of another group.
        """
        known = self._catalog.content(blob.name, self._reading)
        if known is not None:
            return msgspec.msgpack.decode(known, type=FileIndex)
        index = self._read_index(blob, group=group)
        self._catalog.add_content(blob.name, self._reading, msgspec.msgpack.encode(index))
        return index

    def rows(self, blob: Path) -> Rows:
        """The rows of a parquet file, mapped from an Arrow file that is written on the first call.

        A file that is there and cannot be mapped, as after a full disk or a power cut, is written anew.

        Raises:
            HubContentInvalid: as `index`.        OSError: the disk refused.
        """
        path = self.mapped_path(blob)
        try:
            table = _mapped(path)
        except (pa.ArrowException, OSError) as error:
            if not isinstance(error, FileNotFoundError):
                _LOG.warning("%s is broken and is written anew: %s", path.name, error)
                path.unlink(missing_ok=True)
            self._write_mapped(blob, path)
            table = _mapped(path)
        frame = cast("pl.DataFrame", pl.from_arrow(table, rechunk=False))
        return Rows(frame=frame, times=frame[self._spec.time].dt.epoch("ms").to_numpy())

    def mapped_path(self, blob: Path) -> Path:
        """Where the rows of a parquet file are kept as an Arrow file."""
        return self._mapped / f"{blob.name}-{self._reading}.arrow"

    def _read_index(self, blob: Path, *, group: str | None) -> FileIndex:
        spec = self._spec
        time, series = quoted(spec.time), "''" if spec.series is None else quoted(spec.series)
        forming = "false" if spec.final is None else f"{quoted(spec.final)} IS NOT TRUE"
        foreign = f"{quoted(spec.group)} IS DISTINCT FROM $group" if spec.group else "$group IS NOT NULL"
        keyless = " OR ".join(f"{quoted(name)} IS NULL" for name in spec.column_names if name in spec.required)
        spans: dict[str, Span] = {}
        first = 0
        for name, rows, min_ms, max_ms, forming_rows, foreign_rows, keyless_rows in self._fetch(
            f"SELECT {series}, count(*), epoch_ms(min({time})), epoch_ms(max({time})),"  # noqa: S608
            f" count(*) FILTER ({forming}), count(*) FILTER ({foreign}), count(*) FILTER ({keyless})"
            f" FROM ({self._select(blob)}) GROUP BY 1 ORDER BY 1",
            {"path": str(blob), "group": group},
        ):
            if keyless_rows:
                raise HubContentInvalid(f"a file of {spec.name} has rows without a key")
            if foreign_rows:
                raise HubContentInvalid(f"a file of {spec.name} in group {group!r} has rows of another group")
            spans[name] = Span(first=first, rows=rows, min_ms=min_ms, max_ms=max_ms, forming=forming_rows)
            first += rows
        try:
            return FileIndex(spans=spans, as_mapped=is_as_mapped(spec, blob))
        except (pa.ArrowException, pl.exceptions.PolarsError) as error:
            raise HubContentInvalid(f"a file of {spec.name} cannot be read: {type(error).__name__}") from error

    def _write_mapped(self, blob: Path, path: Path) -> None:
        schema = pl.Schema(self._spec.polars_schema())
        # Rows that a file has twice keep their order: one that nobody knows would be another one on each machine.
        order = ", ".join((*map(self._ordered, self._spec.sort), "file_row_number"))
        path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have cleared the folder away
        incoming = path.with_name(f"{uuid.uuid4().hex}.incoming")
        try:
            with (
                self._readable(),
                pa.OSFile(str(incoming), "wb") as sink,
                pa.ipc.new_file(sink, _arrow(pl.DataFrame(schema=schema)).schema) as writer,
            ):
                rows = self._connection.cursor().sql(
                    f"SELECT * EXCLUDE file_row_number FROM ({self._select(blob)}) ORDER BY {order}",  # noqa: S608 - names from the spec, quoted
                    params={"path": str(blob)},
                )
                for batch in rows.to_arrow_reader(_BATCH_ROWS):
                    in_ms = pl.DataFrame(batch).with_columns(cs.datetime().cast(EPOCH_MS))  # whole ones, whoever wrote
                    writer.write_table(_arrow(in_ms.cast(schema)))
            with incoming.open("rb") as written:  # a name must not outlive its bytes when the power fails
                os.fsync(written.fileno())
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)

    def _ordered(self, name: str) -> str:
        """A column as rows are sorted by it: times to the millisecond, as they are kept."""
        is_time = self._spec.column(name).kind is ColumnKind.TIME
        return f"epoch_ms({quoted(name)})" if is_time else quoted(name)

    def _select(self, blob: Path) -> str:
        """SQL that reads the spec's columns from `$path`, and `file_row_number`; what the file lacks reads as null."""
        present = {row[0] for row in self._fetch("DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(blob)})}
        missing = [name for name in self._spec.column_names if name in self._spec.required and name not in present]
        if missing:
            raise HubContentInvalid(f"a file of {self._spec.name} lacks the columns {', '.join(missing)}")
        columns = ", ".join(
            f"CAST({quoted(column.name) if column.name in present else 'NULL'} AS {_DUCKDB_TYPES[column.kind]})"
            f" AS {quoted(column.name)}"
            for column in self._spec.columns
        )
        numbered = f"{columns}, file_row_number"
        return f"SELECT {numbered} FROM read_parquet($path, file_row_number = true)"  # noqa: S608 - names come from the spec, and are quoted

    def _fetch(self, sql: str, values: dict[str, object]) -> list[tuple[Any, ...]]:
        with self._readable():
            return self._connection.cursor().execute(sql, values).fetchall()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except duckdb.IOException as error:  # the disk's fault, not the file's: full, or the file is gone
            raise OSError(f"a file of {self._spec.name} cannot be read") from error
        except duckdb.Error as error:
            raise HubContentInvalid(f"a file of {self._spec.name} cannot be read: {type(error).__name__}") from error


def _mapped(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _arrow(frame: pl.DataFrame) -> pa.Table:
    """The same rows as Arrow, in the layout polars maps back without copying (string views)."""
    return frame.to_arrow(compat_level=pl.CompatLevel.newest())
