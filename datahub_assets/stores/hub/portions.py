"""A large file as a stream of small portions, read series by series; no more than a portion of it is held."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.stores import forms
from datahub_assets.stores.hub.parquet_faults import frame_of_table, named, read_from

_PORTION_ROWS: Final = 4_096


def in_portions(spec: DatasetSpec, file: BinaryIO, target: BinaryIO, *, name: str) -> None:
    """Write the rows of a file as an Arrow stream of small portions, by their series and in today's form.

    A parquet file can be read a row group at a time at best; of dozens that are walked through together that is much.

    Raises:
        HubFileDamaged, HubContentInvalid: as `read` to rewrite.        OSError: the target cannot be written.
    """
    with named(name):
        with read_from(name):
            source = pq.ParquetFile(file, page_checksum_verification=True)
        forms.refuse_other_columns(spec, source.schema_arrow)
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(target, spec.arrow_schema(), options=options) as stream:
            for group in _in_order(spec, source, name=name):
                stream.write_table(forms.as_today(spec, group).combine_chunks(), max_chunksize=_PORTION_ROWS)


def series_runs(spec: DatasetSpec, portions: BinaryIO) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of such a stream by their series, in order; a series may take several turns. One portion is held.

    Where rows form no series, all are of the series "".
    """
    for portion in pa.ipc.open_stream(portions):
        rows = frame_of_table(pa.Table.from_batches([portion]))
        if spec.series is None:
            yield "", rows
            continue
        for (series,), part in rows.partition_by(spec.series, as_dict=True, maintain_order=True).items():
            yield str(series), part


def _in_order(spec: DatasetSpec, source: pq.ParquetFile, *, name: str) -> Iterator[pa.Table]:
    """The row groups of a file, if they are in the order of their series; else all of it at once, sorted."""
    series = spec.series
    if series is None or frame_of_table(source.read(columns=[series]))[series].is_sorted():
        for number in range(source.num_row_groups):
            with read_from(name):
                group = source.read_row_group(number)
            yield group
    else:
        with read_from(name):
            table = source.read()
        yield table.sort_by([(column, "ascending") for column in spec.sort])
