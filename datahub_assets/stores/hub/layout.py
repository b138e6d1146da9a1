"""Frames to parquet bytes and back, in the one form all dataset files have."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Final, Self

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import HubContentInvalid, HubFileDamaged
from datahub_assets.domain.ledgers import DATASET, LedgerSpec
from datahub_assets.domain.times import epoch_ms, utc_datetime
from datahub_assets.stores import forms
from datahub_assets.stores.forms import OtherForm

ROW_GROUP_ROWS: Final = 50_000
"""Fixed row groups: a sorted file that grows at its end keeps its leading bytes, which the Hub stores once."""

_PORTION_ROWS: Final = 4_096

_OPTIONS: Final = {"compression": "zstd", "write_page_index": True, "write_page_checksum": True}


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer of a parquet file tells: how many rows it has, and its form."""

    rows: int
    form: str


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
    with _named(name):
        with _read_from(name):
            table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        if isinstance(part, LedgerSpec) and part.is_earlier(table.column_names):
            return _upgraded(part, table)
        if to_rewrite:
            forms.refuse_other_columns(part, table.schema)
        return _frame(forms.as_today(part, table))


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


def in_portions(spec: DatasetSpec, file: BinaryIO, target: BinaryIO, *, name: str) -> None:
    """Write the rows of a file as an Arrow stream of small portions, by their series and in today's form.

    A parquet file can be read a row group at a time at best; of dozens that are walked through together that is much.

    Raises:
        HubFileDamaged, HubContentInvalid: as `read` to rewrite.        OSError: the target cannot be written.
    """
    with _named(name):
        with _read_from(name):
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
        rows = _frame(pa.Table.from_batches([portion]))
        if spec.series is None:
            yield "", rows
            continue
        for (series,), part in rows.partition_by(spec.series, as_dict=True, maintain_order=True).items():
            yield str(series), part


def _in_order(spec: DatasetSpec, source: pq.ParquetFile, *, name: str) -> Iterator[pa.Table]:
    """The row groups of a file, if they are in the order of their series; else all of it at once, sorted."""
    series = spec.series
    if series is None or _frame(source.read(columns=[series]))[series].is_sorted():
        for number in range(source.num_row_groups):
            with _read_from(name):
                group = source.read_row_group(number)
            yield group
    else:
        with _read_from(name):
            table = source.read()
        yield table.sort_by([(column, "ascending") for column in spec.sort])


def see_that_nothing_is_lost(spec: DatasetSpec, file: BinaryIO, *, name: str) -> None:
    """See by its footer that a file can be rewritten in today's form; its rows are not fetched.

    Raises:
        HubFileDamaged: it is no parquet file.        HubContentInvalid: it would lose a column, or bend its values.
    """
    with _named(name):
        with _read_from(name):
            schema = pq.read_schema(file)
        forms.refuse_other_columns(spec, schema)
        forms.as_today(spec, schema.empty_table())


def footer(file: BinaryIO, *, name: str) -> Footer:
    """What the footer of a parquet file tells.

    Raises:
        HubFileDamaged: it is no parquet file; the message says which file.
    """
    with _named(name), _read_from(name):
        metadata = pq.read_metadata(file)
        return Footer(int(metadata.num_rows), forms.form_of(metadata.schema.to_arrow_schema()))


def keys(spec: DatasetSpec, file: BinaryIO, *, name: str) -> pl.DataFrame:
    """The keys of the rows in a file of this dataset; the other columns are not fetched.

    Raises:
        HubContentInvalid: it is no parquet file of the dataset; the message says which file.
    """
    with _named(name):
        frame = _frame(pq.ParquetFile(file).read(columns=list(spec.key)))
    if set(frame.columns) != set(spec.key):
        raise HubContentInvalid(f"{name} lacks columns of the key {', '.join(spec.key)}")
    return frame


def count_until(file: BinaryIO, *, time: str, until: int, name: str) -> int:
    """How many rows of a parquet file are not later than `until` (epoch ms); mostly told by its footer as well.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    with _named(name):
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)
        return sum(_group_until(parquet, group, time=time, moment=utc_datetime(until)) for group in groups)


def last_time(file: BinaryIO, *, time: str, name: str) -> int | None:
    """The latest time (epoch ms) in a parquet file, None where it has no rows; mostly told by its footer.

    Raises:
        HubContentInvalid: it is no parquet file of a dataset; the message says which file.
    """
    with _named(name):
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


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    """One row group; of one piece, so that bytes do not depend on how the rows came together."""
    writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP_ROWS)


def _groups_of_today(spec: DatasetSpec, content: bytes, *, name: str) -> Iterator[pa.Table]:
    """The rows of a file in today's form, a row group at a time."""
    with _named(name):
        with _read_from(name):
            source = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        forms.refuse_other_columns(spec, source.schema_arrow)
        for number in range(source.num_row_groups):
            with _read_from(name):
                group = source.read_row_group(number)
            yield forms.as_today(spec, group)


def _upgraded(ledger: LedgerSpec, table: pa.Table) -> pl.DataFrame:
    """The lines of a file of version 0.1; all in it are of this dataset."""
    return ledger.today(_frame(table)).with_columns(pl.lit(ledger.dataset).alias(DATASET))


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise OtherForm("is not a table")
    return frame


@contextmanager
def _named(name: str) -> Iterator[None]:
    """What is wrong with a file, with its name."""
    try:
        yield
    except OtherForm as error:
        raise HubContentInvalid(f"{name} {error}") from error
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, KeyError, ValueError) as error:
        raise HubContentInvalid(f"{name} cannot be read as parquet of this dataset: {error}") from error


@contextmanager
def _read_from(name: str) -> Iterator[None]:
    """What goes wrong in here is the file's own fault, whatever its columns are."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise HubFileDamaged(
            f"{name} is damaged, it cannot be read as parquet: {why}. Put back an earlier version of it on the Hub, or "
            "delete it there"
        ) from error
