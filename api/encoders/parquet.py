"""Parquet, compressed with zstd."""

import io
from collections.abc import Iterator
from typing import Final

import polars as pl

MEDIA_TYPE: Final = "application/vnd.apache.parquet"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """The file, in one chunk: parquet's index comes last, and it is small once compressed."""
    out = io.BytesIO()
    frame.write_parquet(out, compression="zstd")
    yield out.getvalue()
