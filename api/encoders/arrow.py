"""The Arrow IPC stream format, with the types of the dataset's own files (plain strings, `timestamp[ms, UTC]`)."""

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
    narrowed = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema
    ]
    return table.cast(pa.schema(narrowed))


def _drained(out: io.BytesIO) -> bytes:
    chunk = out.getvalue()
    out.seek(0)
    out.truncate()
    return chunk
