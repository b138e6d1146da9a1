"""CSV with a header line (RFC 4180); missing values are empty, lists are JSON."""

from collections.abc import Iterator
from typing import Final

import msgspec
import polars as pl

from api.encoders.text import batches

MEDIA_TYPE: Final = "text/csv"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of whole lines, the header first."""
    header = True
    for batch in batches(frame):
        yield _flat(batch).write_csv(include_header=header).encode()
        header = False


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists as text: a cell holds no others."""
    lists = [name for name, own in frame.schema.items() if isinstance(own, pl.List)]
    return frame.with_columns(_written(frame[name]) for name in lists) if lists else frame


def _written(values: pl.Series) -> pl.Series:
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)
