"""The Arrow IPC stream format, with the types of the dataset's own files (plain strings and lists of them,
`timestamp[ms, UTC]`)."""

import io
from collections.abc import Iterator
from typing import Final

import polars as pl
import pyarrow as pa

MEDIA_TYPE: Final = "application/vnd.apache.arrow.stream"
_BATCH_ROWS: Final = 50_000


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one stream: the schema, batches of rows, the end."""
    out = io.BytesIO()
    schema = _plain(frame.head(0)).schema
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in frame.iter_slices(_BATCH_ROWS):
            writer.write_table(_plain(batch))
            yield _drained(out)
    yield _drained(out)


def _plain(frame: pl.DataFrame) -> pa.Table:
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(pa.schema([field.with_type(_narrow(field.type)) for field in table.schema]))


def _narrow(kind: pa.DataType) -> pa.DataType:
    """The type without 64-bit offsets, which polars has and other readers seldom expect."""
    if pa.types.is_large_list(kind):
        return pa.list_(_narrow(kind.value_type))
    return pa.string() if pa.types.is_large_string(kind) else kind


def _drained(out: io.BytesIO) -> bytes:
    chunk = out.getvalue()
    out.seek(0)
    out.truncate()
    return chunk
