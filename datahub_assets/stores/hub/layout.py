"""Frames to parquet bytes and back, in the one form all dataset files have."""

import io
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.times import utc_datetime

ROW_GROUP_ROWS: Final = 50_000
"""Fixed row groups: a sorted file that grows at its end keeps its leading bytes, which the Hub stores once."""

_TIME: Final = "timestamp"


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


def count_until(file: BinaryIO, *, until: int, name: str) -> int:
    """How many rows of a parquet file are not later than `until` (epoch ms); mostly told by its footer as well.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    try:
        parquet = pq.ParquetFile(file)
        return sum(_group_until(parquet, group, until=until) for group in range(parquet.num_row_groups))
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}") from error


def _group_until(parquet: pq.ParquetFile, group: int, *, until: int) -> int:
    moment = utc_datetime(until)
    told = parquet.metadata.row_group(group)
    known = told.column(parquet.schema_arrow.get_field_index(_TIME)).statistics
    if known is not None and known.has_min_max and (known.max <= moment or known.min > moment):
        return told.num_rows if known.max <= moment else 0
    times = parquet.read_row_group(group, columns=[_TIME])[_TIME]
    return int(pc.sum(pc.less_equal(times, pa.scalar(moment, times.type))).as_py() or 0)
