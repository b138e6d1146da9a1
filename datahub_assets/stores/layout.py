"""Frames to parquet bytes and back, in the one form all dataset files have. Where a file lies is not said here."""

import io
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.domain.datasets import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import LedgerSpec

ROW_GROUP_ROWS: Final = 50_000
"""Fixed row groups: a sorted file that grows at its end keeps its leading bytes, which the Hub stores once."""


def write(spec: DatasetSpec | LedgerSpec, frame: pl.DataFrame) -> bytes:
    """A file of this dataset or ledger."""
    return encode(frame, spec.arrow_schema())


def read(spec: DatasetSpec | LedgerSpec, content: bytes, *, name: str) -> pl.DataFrame:
    """The frame in a file of this dataset or ledger.

    Raises:
        HubContentInvalid: see `decode`.
    """
    return decode(content, spec.arrow_schema(), name=name)


def encode(frame: pl.DataFrame, schema: pa.Schema) -> bytes:
    """A parquet file of the frame: zstd, page index, fixed row groups. Equal frames give equal bytes."""
    buffer = io.BytesIO()
    options = {"compression": "zstd", "write_page_index": True, "write_page_checksum": True}
    with pq.ParquetWriter(buffer, schema, **options) as writer:
        # Without rows there must be no row group either: `datasets` refuses an empty one, but reads a file with none.
        if frame.height:
            writer.write_table(frame.to_arrow().cast(schema), row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()


def decode(content: bytes, schema: pa.Schema, *, name: str) -> pl.DataFrame:
    """Read a parquet file as a frame of exactly this schema.

    Raises:
        HubContentInvalid: it is no parquet file, damaged, or has other columns or types; the message says which file.
    """
    try:
        table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        missing = [column for column in schema.names if column not in table.column_names]
        if missing:
            raise HubContentInvalid(f"{name} lacks the columns {', '.join(missing)}")
        frame = pl.from_arrow(table.select(schema.names).cast(schema))
    except (pa.ArrowException, OSError) as error:
        raise HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}") from error
    if not isinstance(frame, pl.DataFrame):
        raise HubContentInvalid(f"{name} is not a table")
    return frame


def count_rows(file: BinaryIO, *, name: str) -> int:
    """How many rows a parquet file has, told by its footer.

    Raises:
        HubContentInvalid: it is no parquet file; the message says which file.
    """
    try:
        return int(pq.read_metadata(file).num_rows)
    except pa.ArrowException as error:
        raise HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}") from error
