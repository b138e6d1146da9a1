"""Frames to parquet bytes and back, in the one form all dataset files have."""

import io
from datetime import datetime
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.ledgers import DATASET, LedgerSpec
from datahub_assets.domain.times import epoch_ms, utc_datetime

ROW_GROUP_ROWS: Final = 50_000
"""Fixed row groups: a sorted file that grows at its end keeps its leading bytes, which the Hub stores once."""


def write(spec: DatasetSpec | LedgerSpec, frame: pl.DataFrame) -> bytes:
    """A file of this dataset or ledger."""
    return encode(frame, spec.arrow_schema())


def read(spec: DatasetSpec | LedgerSpec, content: bytes, *, name: str) -> pl.DataFrame:
    """The frame in a file of this dataset or ledger; a ledger of an earlier version of the project in today's form.

    Raises:
        HubContentInvalid: see `decode`.
    """
    if isinstance(spec, LedgerSpec) and is_earlier(spec, content, name=name):
        return _upgraded(spec, content, name=name)
    return decode(content, spec.arrow_schema(), name=name)


def is_earlier(ledger: LedgerSpec, content: bytes, *, name: str) -> bool:
    """Whether an earlier version of the project wrote this file of a ledger, in another form.

    Raises:
        HubContentInvalid: it is no parquet file; the message says which file.
    """
    try:
        return ledger.is_earlier(pq.read_schema(pa.BufferReader(content)).names)
    except pa.ArrowException as error:
        raise _invalid(name, error) from error


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
        table = _table(content)
        missing = [column for column in schema.names if column not in table.column_names]
        if missing:
            raise HubContentInvalid(f"{name} lacks the columns {', '.join(missing)}")
        # By way of milliseconds, so that a time that is no whole one is an error and does not pass for another key.
        frame = pl.from_arrow(table.select(schema.names).cast(_in_ms(schema)).cast(schema))
    except (pa.ArrowException, OSError) as error:
        raise _invalid(name, error) from error
    if not isinstance(frame, pl.DataFrame):
        raise HubContentInvalid(f"{name} is not a table")
    return frame


def keys(spec: DatasetSpec, file: BinaryIO, *, name: str) -> pl.DataFrame:
    """The keys of the rows in a file of this dataset; the other columns are not fetched.

    Raises:
        HubContentInvalid: it is no parquet file of the dataset; the message says which file.
    """
    try:
        frame = pl.from_arrow(pq.ParquetFile(file).read(columns=list(spec.key)))
    except (pa.ArrowException, OSError) as error:
        raise _invalid(name, error) from error
    if not isinstance(frame, pl.DataFrame) or set(frame.columns) != set(spec.key):
        raise HubContentInvalid(f"{name} lacks columns of the key {', '.join(spec.key)}")
    return frame


def count_rows(file: BinaryIO, *, name: str) -> int:
    """How many rows a parquet file has, told by its footer.

    Raises:
        HubContentInvalid: it is no parquet file; the message says which file.
    """
    try:
        return int(pq.read_metadata(file).num_rows)
    except pa.ArrowException as error:
        raise _invalid(name, error) from error


def count_until(file: BinaryIO, *, time: str, until: int, name: str) -> int:
    """How many rows of a parquet file are not later than `until` (epoch ms); mostly told by its footer as well.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    try:
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)
        return sum(_group_until(parquet, group, time=time, moment=utc_datetime(until)) for group in groups)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise _invalid(name, error) from error


def last_time(file: BinaryIO, *, time: str, name: str) -> int | None:
    """The latest time (epoch ms) in a parquet file, None where it has no rows; mostly told by its footer.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    try:
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)
        ends = [
            known.max if (known := _span(parquet, group, time=time)) else pc.max(_times(parquet, group, time)).as_py()
            for group in groups
        ]
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise _invalid(name, error) from error
    return max((epoch_ms(end) for end in ends if end is not None), default=None)


def _group_until(parquet: pq.ParquetFile, group: int, *, time: str, moment: datetime) -> int:
    known = _span(parquet, group, time=time)
    if known is not None and (known.max <= moment or known.min > moment):
        return parquet.metadata.row_group(group).num_rows if known.max <= moment else 0
    times = _times(parquet, group, time)
    return int(pc.sum(pc.less_equal(times, pa.scalar(moment, times.type))).as_py() or 0)


def _span(parquet: pq.ParquetFile, group: int, *, time: str) -> pq.Statistics | None:
    """The first and the last time of a row group, None where its writer did not say."""
    told = parquet.metadata.row_group(group)
    columns = map(told.column, range(told.num_columns))
    known = next((column.statistics for column in columns if column.path_in_schema == time), None)
    return known if known is not None and known.has_min_max else None


def _times(parquet: pq.ParquetFile, group: int, time: str) -> pa.ChunkedArray:
    return parquet.read_row_group(group, columns=[time])[time]


def _table(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)


def _in_ms(schema: pa.Schema) -> pa.Schema:
    """The schema with times that count milliseconds."""
    in_ms = pa.timestamp("ms", tz="UTC")
    return pa.schema([field.with_type(in_ms) if pa.types.is_timestamp(field.type) else field for field in schema])


def _upgraded(ledger: LedgerSpec, content: bytes, *, name: str) -> pl.DataFrame:
    """The lines of a file that an earlier version of the project wrote; all in it are of this dataset."""
    try:
        frame = pl.from_arrow(_table(content))
        if not isinstance(frame, pl.DataFrame):
            raise HubContentInvalid(f"{name} is not a table")
        return ledger.today(frame).with_columns(pl.lit(ledger.dataset).alias(DATASET))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise _invalid(name, error) from error


def _invalid(name: str, error: Exception) -> HubContentInvalid:
    return HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}")
