"""JSON by column: one object of equally long lists, as plotting libraries and data frames like it."""

from collections.abc import Iterator
from typing import Final

import msgspec
import polars as pl

from api.encoders.text import times_as_text

MEDIA_TYPE: Final = "application/vnd.datahub.columns+json"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one JSON object, a column each."""
    separator = b"{"
    for column in times_as_text(frame).iter_columns():
        if column.len():
            yield separator + pl.DataFrame({column.name: [column]}).write_json()[2:-2].encode()
        else:
            yield separator + msgspec.json.encode(column.name) + b":[]"
        separator = b","
    yield b"{}" if separator == b"{" else b"}"
