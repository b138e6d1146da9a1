"""Answers in each format as plain rows: read by Python's own parsers and pyarrow, not by the product's code.

Times become epoch ms, so that rows of all formats, and of the Hub's files, can be compared as they are.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]
Kinds = Mapping[str, str]
"""What the values of each column are: `time`, `float`, `int`, `bool` or `text`; of formats that do not tell."""
ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"


def kinds_of(body: bytes) -> Kinds:
    """What the values of each column of an Arrow answer are."""
    return kinds_of_schema(pa.ipc.open_stream(body).schema)


def kinds_of_schema(schema: pa.Schema) -> Kinds:
    """What the values of each column are."""
    return {field.name: _kind(field.type) for field in schema}


def epoch_ms(text: str) -> int:
    """Epoch ms of an ISO time that says its zone."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None, f"{text} has no zone"
    return round(moment.timestamp() * 1000)


def plain_rows(table: pa.Table) -> list[Row]:
    """The rows of an Arrow table."""
    columns = {name: _values(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain_row(row: Mapping[str, Any], kinds: Kinds) -> Row:
    """A row as JSON has it, with its values as the other formats have them."""
    return {name: None if value is None else _FROM_JSON[kinds[name]](value) for name, value in row.items()}


def _kind(kind: Any) -> str:
    tests = {
        "time": pa.types.is_timestamp, "float": pa.types.is_floating, "int": pa.types.is_integer,
        "bool": pa.types.is_boolean, "text": lambda kind: "string" in str(kind),
    }  # fmt: skip
    return next(name for name, fits in tests.items() if fits(kind))


def _values(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64())  # refuses what is no whole ms
    return list(column.to_pylist())


def _whole(value: Any) -> int:
    assert type(value) is int, f"{value!r} is no whole number"
    return value


def _as_it_is(value: Any) -> Any:
    return value


_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "time": epoch_ms, "float": float, "int": _whole, "bool": _as_it_is, "text": _as_it_is,
}  # fmt: skip
_FROM_CSV: dict[str, Callable[[str], Any]] = {
    "time": epoch_ms, "float": float, "int": int, "bool": {"true": True, "false": False}.__getitem__, "text": _as_it_is,
}  # fmt: skip


def _json(body: bytes, kinds: Kinds) -> list[Row]:
    return [plain_row(row, kinds) for row in json.loads(body)]


def _json_columns(body: bytes, kinds: Kinds) -> list[Row]:
    columns = json.loads(body)
    rows = zip(*columns.values(), strict=True)
    return [plain_row(dict(zip(columns, values, strict=True)), kinds) for values in rows]


def _ndjson(body: bytes, kinds: Kinds) -> list[Row]:
    return [plain_row(json.loads(line), kinds) for line in body.splitlines()]


def _csv(body: bytes, kinds: Kinds) -> list[Row]:
    lines = csv.DictReader(io.StringIO(body.decode(), newline=""))
    return [{name: _FROM_CSV[kinds[name]](cell) if cell else None for name, cell in line.items()} for line in lines]


def _arrow(body: bytes, kinds: Kinds) -> list[Row]:
    return plain_rows(pa.ipc.open_stream(body).read_all())


def _parquet(body: bytes, kinds: Kinds) -> list[Row]:
    return plain_rows(pq.read_table(io.BytesIO(body)))


PARSERS: dict[str, Callable[[bytes, Kinds], list[Row]]] = {
    JSON: _json,
    "application/vnd.datahub.columns+json": _json_columns,
    "application/x-ndjson": _ndjson,
    "text/csv": _csv,
    "application/vnd.apache.parquet": _parquet,
    ARROW: _arrow,
}
"""By media type. A format the API offers and that is not here is a disagreement: nobody has read it."""
