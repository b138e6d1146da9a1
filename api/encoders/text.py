"""What the textual formats have in common: times as ISO 8601 with Z, numbers as text on demand, and batches of rows."""

from collections.abc import Iterator
from typing import Final

import polars as pl

BATCH_ROWS: Final = 5_000
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.fZ"


def times_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as `2025-11-25T10:30:00Z`, with a fraction only where there is one; they must be UTC."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(pl.col(times).dt.strftime(_ISO)) if times else frame


def numbers_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Floats as the shortest decimal text that reads back as the same float; counts stay numbers."""
    return frame.with_columns(pl.col(pl.Float64).cast(pl.String))


def batches(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in batches of rows with times as text; one batch even when it is empty."""
    for batch in frame.iter_slices(BATCH_ROWS) if frame.height else (frame,):
        yield times_as_text(batch)
