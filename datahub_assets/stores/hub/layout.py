"""Frames to parquet bytes and back, in the one form all dataset files have."""

import io
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Final, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.ledgers import DATASET, LedgerSpec
from datahub_assets.stores import forms
from datahub_assets.stores.hub.parquet_faults import frame_of_table, named, read_from

ROW_GROUP_ROWS: Final = 50_000
"""Fixed row groups: a sorted file that grows at its end keeps its leading bytes, which the Hub stores once."""

_OPTIONS: Final = {"compression": "zstd", "write_page_index": True, "write_page_checksum": True}


def write(part: DatasetSpec | LedgerSpec, frame: pl.DataFrame) -> bytes:
    """A file of this dataset or ledger: zstd, page index, fixed row groups. Equal frames give equal bytes."""
    schema = part.arrow_schema()
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, **_OPTIONS) as writer:
        table = frame.to_arrow().cast(schema)
        # Without rows there must be no row group either: `datasets` refuses an empty one, but reads a file with none.
        for first in range(0, table.num_rows, ROW_GROUP_ROWS):
            _write_group(writer, table.slice(first, ROW_GROUP_ROWS))
    return buffer.getvalue()


def read(part: DatasetSpec | LedgerSpec, content: bytes, *, name: str, to_rewrite: bool = False) -> pl.DataFrame:
    """The frame in a file of this dataset or ledger, of today's or an earlier form.

    Args:
        name: of the file, for the message.
        to_rewrite: refuse a file that has more columns than the dataset, as they would be gone.

    Raises:
        HubFileDamaged: it is no whole parquet file.
        HubContentInvalid: it cannot be read as this form without a loss; see `forms`.
    """
    with named(name):
        with read_from(name):
            table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        if isinstance(part, LedgerSpec) and part.is_earlier(table.column_names):
            return _upgraded(part, table)
        if to_rewrite:
            forms.refuse_other_columns(part, table.schema)
        return frame_of_table(forms.as_today(part, table))


class FileWriter:
    """Writes a file as `write` does, from rows that come in the file's order, in whatever portions.

    At most `ROW_GROUP_ROWS` of them and a portion are held at a time.

    Args:
        target: where to write; stays open.

    Raises:
        OSError: the target cannot be written.
    """

    def __init__(self, spec: DatasetSpec, target: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(target, spec.arrow_schema(), **_OPTIONS)
        self._held: list[pa.Table] = []
        self._count = 0

    def add(self, rows: pa.Table) -> None:
        """The next rows, in today's form."""
        self._held.append(rows)
        self._count += rows.num_rows
        if self._count < ROW_GROUP_ROWS:
            return
        rest = pa.concat_tables(self._held)
        while rest.num_rows >= ROW_GROUP_ROWS:
            _write_group(self._writer, rest.slice(0, ROW_GROUP_ROWS))
            rest = rest.slice(ROW_GROUP_ROWS)
        self._held, self._count = [rest], rest.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.close()

    def close(self) -> None:
        """Write what is held, and the footer."""
        if self._count:
            _write_group(self._writer, pa.concat_tables(self._held))
        self._held, self._count = [], 0
        self._writer.close()


def rewrite(spec: DatasetSpec, content: bytes, target: BinaryIO, *, name: str) -> None:
    """Write a file of an earlier form as `write` would, row group by row group: the whole may be large.

    Raises:
        HubFileDamaged, HubContentInvalid: as `read` to rewrite.        OSError: the target cannot be written.
    """
    groups = _groups_of_today(spec, content, name=name)
    with FileWriter(spec, target) as writer:
        for group in groups:
            writer.add(group)


def _groups_of_today(spec: DatasetSpec, content: bytes, *, name: str) -> Iterator[pa.Table]:
    """The rows of a file in today's form, a row group at a time."""
    with named(name):
        with read_from(name):
            source = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        forms.refuse_other_columns(spec, source.schema_arrow)
        for number in range(source.num_row_groups):
            with read_from(name):
                group = source.read_row_group(number)
            yield forms.as_today(spec, group)


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    """One row group; of one piece, so that bytes do not depend on how the rows came together."""
    writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP_ROWS)


def _upgraded(ledger: LedgerSpec, table: pa.Table) -> pl.DataFrame:
    """The lines of a file of version 0.1; all in it are of this dataset."""
    return ledger.today(frame_of_table(table)).with_columns(pl.lit(ledger.dataset).alias(DATASET))
