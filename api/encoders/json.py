"""JSON, a list of objects: the default format."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from api.encoders.text import batches

MEDIA_TYPE: Final = "application/json"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one JSON list; numbers that are not finite, and missing values, are null."""
    opening = b"["
    for batch in batches(frame):
        objects = batch.write_json()[1:-1].encode()
        if objects:
            yield opening + objects
            opening = b","
    yield b"[]" if opening == b"[" else b"]"
