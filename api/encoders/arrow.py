"""The Arrow IPC stream format."""

import io
from collections.abc import Iterator
from typing import Final

import polars as pl
import pyarrow as pa

from api.arrow_bytes import nothing_under_nulls
from api.encoders.tables import table_of

MEDIA_TYPE: Final = "application/vnd.apache.arrow.stream"
_BATCH_ROWS: Final = 50_000


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one stream: the schema, batches of rows, the end."""
    out = io.BytesIO()
    schema = table_of(frame.head(0)).schema
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in frame.iter_slices(_BATCH_ROWS):
            for rows in table_of(batch).to_batches():
                writer.write_batch(nothing_under_nulls(rows))
            yield _drained(out)
    yield _drained(out)


def _drained(out: io.BytesIO) -> bytes:
    chunk = out.getvalue()
    out.seek(0)
    out.truncate()
    return chunk
