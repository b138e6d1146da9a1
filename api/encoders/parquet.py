"""Parquet, compressed with zstd."""

import io
from collections.abc import Iterator
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from api.encoders.tables import table_of

MEDIA_TYPE: Final = "application/vnd.apache.parquet"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """The file, in one chunk: parquet's index comes last, and it is small once compressed."""
    table = table_of(frame)
    texts = [path for field in table.schema for path in _texts(field, field.name)]
    out = io.BytesIO()
    # Dictionaries only for texts: those of numbers, which seldom come twice, take more time than all the rest.
    with pq.ParquetWriter(out, table.schema, compression="zstd", use_dictionary=texts) as writer:
        if table.num_rows:  # `datasets` refuses a file with an empty row group
            writer.write_table(table)
    yield out.getvalue()


def _texts(field: pa.Field, path: str) -> Iterator[str]:
    """The paths of texts, as parquet has them."""
    if pa.types.is_list(field.type):
        yield from _texts(field.type.value_field, f"{path}.list.element")
    elif pa.types.is_struct(field.type):
        for child in field.type:
            yield from _texts(child, f"{path}.{child.name}")
    elif pa.types.is_string(field.type):
        yield path
