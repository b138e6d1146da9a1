"""What a parquet file tells by its footer, or by a column or two: its form, its keys and its times."""

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid
from datahub_assets.domain.times import epoch_ms, utc_datetime
from datahub_assets.stores import forms
from datahub_assets.stores.hub.parquet_faults import frame_of_table, named, read_from


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of a parquet file tells: how many rows it has, and its form."""

    rows: int
    form: str


def read_footer(file: BinaryIO, *, name: str) -> Footer:
    """What the footer of a parquet file tells.

    Raises:
        HubFileDamaged: it is no parquet file; the message says which file.
    """
    with named(name), read_from(name):
        metadata = pq.read_metadata(file)
        return Footer(int(metadata.num_rows), forms.form_of(metadata.schema.to_arrow_schema()))


def see_that_it_can_be_rewritten(spec: DatasetSpec, file: BinaryIO, *, name: str) -> None:
    """See by its footer that a file can be rewritten in today's form; its rows are not fetched.

    Raises:
        HubFileDamaged: it is no parquet file.        HubContentInvalid: it would lose a column, or bend its values.
    """
    with named(name):
        with read_from(name):
            schema = pq.read_schema(file)
        forms.refuse_other_columns(spec, schema)
        forms.as_today(spec, schema.empty_table())


def keys_in(spec: DatasetSpec, file: BinaryIO, *, name: str) -> pl.DataFrame:
    """The keys of the rows in a file of this dataset; the other columns are not fetched.

    Raises:
        HubContentInvalid: it is no parquet file of the dataset; the message says which file.
    """
    with named(name):
        frame = frame_of_table(pq.ParquetFile(file).read(columns=list(spec.key)))
    if set(frame.columns) != set(spec.key):
        raise HubContentInvalid(f"{name} lacks columns of the key {', '.join(spec.key)}")
    return frame


def count_until(file: BinaryIO, *, time: str, until: int, name: str) -> int:
    """How many rows of a parquet file are not later than `until` (epoch ms); mostly told by its footer as well.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    with named(name):
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)
        return sum(_group_until(parquet, group, time=time, moment=utc_datetime(until)) for group in groups)


def last_time(file: BinaryIO, *, time: str, name: str) -> int | None:
    """The latest time (epoch ms) in a parquet file, None where it has no rows; mostly told by its footer.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    with named(name):
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)
        ends = [
            known.max if (known := _span(parquet, group, time=time)) else pc.max(_times(parquet, group, time)).as_py()
            for group in groups
        ]
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
