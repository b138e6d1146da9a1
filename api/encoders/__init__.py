"""The formats of answers, one module each, and the table of them.

`api.http.negotiation` chooses the one a caller gets.

arrow                   the Arrow IPC stream format
columns                 JSON by column
csv                     CSV with a header line
json                    JSON, a list of objects
ndjson                  newline-delimited JSON
parquet                 parquet, compressed with zstd
tables                  frames as Arrow tables, which both of these write
text                    what the textual formats share
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from api.encoders import arrow, columns, csv, json, ndjson, parquet

Encode = Callable[[pl.DataFrame], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name in `format=`, its media type, and how a frame becomes chunks of bytes.

    `textual` formats write times and numbers as text, so they take part in `numbers=string`, and are worth compressing.
    """

    name: str
    media_type: str
    encode: Encode
    textual: bool


FORMATS: Final[dict[str, Format]] = {
    entry.name: entry
    for entry in (
        Format("json", json.MEDIA_TYPE, json.encode, textual=True),
        Format("columns", columns.MEDIA_TYPE, columns.encode, textual=True),
        Format("ndjson", ndjson.MEDIA_TYPE, ndjson.encode, textual=True),
        Format("csv", csv.MEDIA_TYPE, csv.encode, textual=True),
        Format("parquet", parquet.MEDIA_TYPE, parquet.encode, textual=False),
        Format("arrow", arrow.MEDIA_TYPE, arrow.encode, textual=False),
    )
}
