"""CSV with a header line (RFC 4180); missing values are empty."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from api.encoders.text import batches

MEDIA_TYPE: Final = "text/csv"


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of whole lines, the header first."""
    header = True
    for batch in batches(frame):
        yield batch.write_csv(include_header=header).encode()
        header = False
