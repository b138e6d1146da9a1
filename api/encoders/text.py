"""The formats that are text: JSON, JSON by column, newline-delimited JSON, and CSV.

In all of them times are ISO 8601 with Z, and numbers are text on demand.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import polars as pl

BATCH_ROWS: Final = 5_000
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_FORMULA: Final = r"^[=+\-@\t\r\n]"
"""What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection")."""
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.f"
Change = Callable[[pl.Expr], pl.Expr]
Rule = Callable[[Any], Change | None]
"""How values of a type are changed; None: not at all."""


def json(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one JSON list of objects; numbers that are not finite, and missing values, are null."""
    opening = b"["
    for batch in _batches(frame):
        objects = batch.write_json()[1:-1].encode()
        if objects:
            yield opening + objects
            opening = b","
    yield b"[]" if opening == b"[" else b"]"


def columns(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of one JSON object of equally long lists, a column each, as plotting libraries and data frames like it."""
    separator = b"{"
    for column in times_as_text(frame).iter_columns():
        if column.len():
            yield separator + pl.DataFrame({column.name: [column]}).write_json()[2:-2].encode()
        else:
            yield separator + msgspec.json.encode(column.name) + b":[]"
        separator = b","
    yield b"{}" if separator == b"{" else b"}"


def ndjson(frame: pl.DataFrame) -> Iterator[bytes]:
    """Chunks of whole lines, an object each, for pipes and log tools."""
    for batch in _batches(frame):
        yield batch.write_ndjson().encode()


def csv(frame: pl.DataFrame, *, delimiter: str = ",", for_spreadsheets: bool = False) -> Iterator[bytes]:
    """Chunks of whole lines, the header first (RFC 4180); missing values are empty.

    Lists of texts are joined by `|`, of which one within a text, like a backslash, has a backslash before it; other
    lists are JSON.

    `for_spreadsheets`: with the mark that tells spreadsheets it is UTF-8, and with an apostrophe before texts that they
    would take for formulas and run.
    """
    header = True
    if for_spreadsheets:
        yield _UTF8_MARK
        frame = frame.rename(_harmless_name)
    for batch in _batches(frame):
        flat = _flat(batch)
        flat = changed(flat, _harmless) if for_spreadsheets else flat
        yield flat.write_csv(include_header=header, separator=delimiter).encode()
        header = False


def _harmless(own: Any) -> Change | None:
    if own != pl.String:
        return None
    return lambda texts: pl.when(texts.str.contains(_FORMULA)).then("'" + texts).otherwise(texts)


def _harmless_name(name: str) -> str:
    return f"'{name}" if re.match(_FORMULA, name) else name


def times_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as `2025-11-25T10:30:00Z`, with a fraction only where there is one; without `Z` where they have no zone.

    Those that have one must be UTC.
    """
    return changed(frame, _time)


def _time(own: Any) -> Change | None:
    if not isinstance(own, pl.Datetime):
        return None
    form = _ISO if own.time_zone is None else f"{_ISO}Z"
    return lambda times: times.dt.strftime(form)


def numbers_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Floats as the shortest decimal text that reads back as the same float; counts stay numbers."""
    return changed(frame, lambda own: _as_string if isinstance(own, pl.Float64) else None)


def _as_string(values: pl.Expr) -> pl.Expr:
    return values.cast(pl.String)


def changed(frame: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The frame with the values changed as the rule says of their types, also those within lists and structs."""
    types = zip(frame.columns, frame.dtypes, strict=True)  # `schema` would check them again, which takes as long
    columns = [(name, own) for name, own in types if _applies(rule, own)]
    if not columns:
        return frame
    return frame.with_columns(_changed(pl.col(name), own, rule).alias(name) for name, own in columns)


def _applies(rule: Rule, own: Any) -> bool:
    if isinstance(own, pl.List):
        return _applies(rule, own.inner)
    if isinstance(own, pl.Struct):
        return any(_applies(rule, field.dtype) for field in own.fields)
    return rule(own) is not None


def _changed(values: pl.Expr, own: Any, rule: Rule) -> pl.Expr:
    if isinstance(own, pl.List) and _applies(rule, own):
        return values.list.eval(_changed(pl.element(), own.inner, rule))
    if isinstance(own, pl.Struct) and _applies(rule, own):
        fields = [
            _changed(values.struct.field(field.name), field.dtype, rule).alias(field.name) for field in own.fields
        ]
        return pl.when(values.is_not_null()).then(pl.struct(fields))
    change = rule(own)
    return values if change is None else change(values)


def _batches(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The frame in batches of rows with times as text; one batch even when it is empty."""
    for batch in frame.iter_slices(BATCH_ROWS) if frame.height else (frame,):
        # In one piece: rows come from several files, and polars starts its threads for each piece of a column.
        yield times_as_text(batch.rechunk() if batch.n_chunks() > 1 else batch)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists as text: a cell of CSV holds no others."""
    texts = [name for name, own in frame.schema.items() if own == pl.List(pl.String)]
    lists = [name for name, own in frame.schema.items() if isinstance(own, pl.List) and name not in texts]
    if not texts and not lists:
        return frame
    return frame.with_columns(*map(_joined, texts), *(_as_json(frame[name]) for name in lists))


def _joined(name: str) -> pl.Expr:
    escaped = pl.element().str.replace_all(r"([|\\])", r"\$1").fill_null("")
    return pl.col(name).list.eval(escaped).list.join("|")


def _as_json(values: pl.Series) -> pl.Series:
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)
