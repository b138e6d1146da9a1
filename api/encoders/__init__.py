"""The formats of answers, and the table of them.

`api.http.form` chooses the one a caller gets.

arrow                   the Arrow IPC stream format
parquet                 parquet, compressed with zstd
tables                  frames as Arrow tables, which both of these write
text                    JSON, JSON by column, newline-delimited JSON and CSV
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from api.encoders import arrow, parquet, text

Encode = Callable[[pl.DataFrame], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name in `format=`, its media type, and how a frame becomes chunks of bytes.

    Attributes:
        suffix: of files of that format.
        is_file: whether people keep answers of it as files, rather than have programs read them at once.

    `textual` formats write times and numbers as text, so they take part in `numbers=string`, and are worth compressing.
    """

    name: str
    media_type: str
    encode: Encode
    textual: bool
    suffix: str
    is_file: bool = False


FORMATS: Final[dict[str, Format]] = {
    entry.name: entry
    for entry in (
        Format("json", "application/json", text.json, textual=True, suffix="json"),
        Format("columns", "application/vnd.datahub.columns+json", text.columns, textual=True, suffix="json"),
        Format("ndjson", "application/x-ndjson", text.ndjson, textual=True, suffix="ndjson"),
        Format("csv", "text/csv", text.csv, textual=True, suffix="csv", is_file=True),
        Format("parquet", parquet.MEDIA_TYPE, parquet.encode, textual=False, suffix="parquet", is_file=True),
        Format("arrow", arrow.MEDIA_TYPE, arrow.encode, textual=False, suffix="arrows", is_file=True),
    )
}
