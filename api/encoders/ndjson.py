"""Newline-delimited JSON: an object a line, for pipes and log tools."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from api.encoders.text import batches

MEDIA_TYPE: Final = "application/x-ndjson"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of whole lines."""
    for batch in batches(frame):
        yield batch.write_ndjson().encode()
