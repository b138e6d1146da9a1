"""The form of an answer, format and content coding: chosen from what the caller says, and rows written in it."""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import polars as pl
import zstandard
from litestar import Request

from api.encoders import FORMATS, Format
from api.encoders.text import BATCH_ROWS, csv, numbers_as_text
from api.http.context import RequestContext
from api.http.disconnects import until_left
from api.http.errors import InvalidParameter, NotAcceptable

_BY_MEDIA_TYPE: Final = {entry.media_type: entry for entry in FORMATS.values()}
_OFFERED: Final[Mapping[str, str]] = {
    **{media_type: entry.name for media_type, entry in _BY_MEDIA_TYPE.items()},
    "application/jsonl": "ndjson",
    "application/ndjson": "ndjson",
}
"""By media type, other names of one included: the format's name."""
_DEFAULT: Final = "json"
NUMBERS: Final = ("number", "string")
DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_CODINGS: Final = ("zstd", "gzip")
_MOST_ENTRIES: Final = 32
"""Of a longer Accept or Accept-Encoding the rest is ignored; clients send ten at most."""
_KEPT: Final = 512
_KEPT_BYTES: Final = 256
"""How many of these headers are remembered with what they come to, and how long one may be for that."""
_WEIGHT: Final = re.compile(r"(0(\.\d*)?|1(\.0*)?)")
SMALLEST_BYTES: Final = 1024
"""Bodies smaller than this go out as they are: the headers would weigh more than what is saved."""
STREAMED_ROWS: Final = 4 * BATCH_ROWS
"""More rows than this are better streamed, where the format is text."""
INLINE_ROWS: Final = 2_000
"""Up to this many rows are worked on in the event loop: a thread would cost more than it gains."""
_PIECE_BYTES: Final = 1 << 20
"""Of a larger body so much is compressed at once, between which the work can be ended."""
JSON: Final = "application/json"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_GZIP_LEVEL: Final = 5
_ZSTD_LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A body in a content coding ("" for none): whole, or in chunks that are made while they are sent."""

    body: bytes | Iterator[bytes]
    coding: str
    media_type: str


class AskedForm(msgspec.Struct, frozen=True):
    """What a caller says of the form of an answer besides its headers; None for what is not said.

    Attributes:
        format: a format's name.        numbers: `number` or `string`.
        spreadsheet: whether the CSV is for a spreadsheet.        delimiter: between the cells of CSV.
    """

    format: str | None = None
    numbers: str | None = None
    spreadsheet: bool = False
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """What stands between cells, and whether it is for people with a spreadsheet rather than for programs."""

    delimiter: str = ","
    for_spreadsheets: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are to be written: the format, whether floats become text, and the content coding ("" for none)."""

    format: Format
    numbers_as_text: bool
    coding: str
    csv_style: CsvStyle = CsvStyle()

    @property
    def named(self) -> tuple[str, bool, str, str, bool]:
        """What the bytes of an answer depend on besides its rows."""
        return (
            self.format.name,
            self.numbers_as_text,
            self.coding,
            self.csv_style.delimiter,
            self.csv_style.for_spreadsheets,
        )

    def headers(self, name: str) -> dict[str, str]:
        """What is said of an answer as a file of that name, for formats that people keep as files."""
        told = {}
        if self.format.is_file:
            told["Content-Disposition"] = f'attachment; filename="{name}.{self.format.suffix}"'
        if not self.format.textual and not self.coding:
            told["Accept-Ranges"] = "bytes"
        return told

    def write(self, frame: pl.DataFrame) -> Written:
        """The rows in this form; a large text in chunks, so that it takes no more memory than a batch of rows."""
        rows = numbers_as_text(frame) if self.numbers_as_text else frame
        if self.format.name == "csv":
            chunks = csv(rows, delimiter=self.csv_style.delimiter, for_spreadsheets=self.csv_style.for_spreadsheets)
        else:
            chunks = self.format.encode(rows)
        if frame.height > INLINE_ROWS:
            chunks = until_left(chunks)
        if frame.height > STREAMED_ROWS and self.format.textual:
            return Written(compressed(chunks, self.coding), self.coding, self.format.media_type)
        return written(b"".join(chunks), self.coding, self.format.media_type)


def written(body: bytes, coding: str, media_type: str = JSON) -> Written:
    """A whole body in that coding; as it is where it is too small to gain by it."""
    if not coding or len(body) < SMALLEST_BYTES:
        return Written(body, "", media_type)
    pieces: Iterable[bytes] = (body,)
    if len(body) > _PIECE_BYTES:
        pieces = until_left(body[first : first + _PIECE_BYTES] for first in range(0, len(body), _PIECE_BYTES))
    return Written(b"".join(compressed(pieces, coding)), coding, media_type)


def said_of(coding: str) -> dict[str, str]:
    """The header that names a content coding; none for none."""
    return {"Content-Encoding": coding} if coding else {}


def choose_form(request: Request[Any, Any, Any], asked: AskedForm) -> Form:
    """How the caller of a request wants rows written. Raises as `form_of`."""
    context = RequestContext.of(request.scope)
    return form_of(asked, accept=context.accept, accept_encoding=context.accept_encoding)


def json_form(request: Request[Any, Any, Any]) -> Form:
    """JSON, whatever `Accept` says, in the content coding the caller wants."""
    accept_encoding = RequestContext.of(request.scope).accept_encoding
    return form_of(AskedForm("json"), accept=b"", accept_encoding=accept_encoding)


def form_of(asked: AskedForm, *, accept: bytes, accept_encoding: bytes) -> Form:
    """The form of an answer; `format=` beats the Accept header, and `spreadsheet=` does where no format is named.

    Raises:
        InvalidParameter: there is no such format, form of numbers or delimiter, or only CSV can have it.
        NotAcceptable: nothing fits.
    """
    chosen = _format(asked.format or ("csv" if asked.spreadsheet else None), accept)
    if asked.numbers not in {None, *NUMBERS}:
        raise InvalidParameter.of("numbers", asked.numbers, valid=NUMBERS)
    style = _csv_style(asked, chosen)
    coding = coding_accepted(accept_encoding) if chosen.textual or chosen.name == "arrow" else ""
    return Form(chosen, asked.numbers == "string" and chosen.textual, coding, style)


def _csv_style(asked: AskedForm, chosen: Format) -> CsvStyle:
    if chosen.name != "csv" and (asked.spreadsheet or asked.delimiter is not None):
        name, value = ("spreadsheet", "true") if asked.spreadsheet else ("delimiter", asked.delimiter)
        raise InvalidParameter.of(name, value, valid=f"for CSV only, and not for {chosen.name}")
    if asked.delimiter is None:
        return CsvStyle(for_spreadsheets=asked.spreadsheet)
    delimiter = DELIMITERS.get(asked.delimiter, asked.delimiter)
    if delimiter not in DELIMITERS.values():
        raise InvalidParameter.of("delimiter", asked.delimiter, valid=[*DELIMITERS, "or the character itself"])
    return CsvStyle(delimiter, asked.spreadsheet)


def format_accepted(accept: bytes) -> str | None:
    """The name of the format an Accept header comes to, None where it fits none. Quick for headers seen before."""
    return _known_format(accept) if len(accept) <= _KEPT_BYTES else _best_format(accept)


def coding_accepted(accept_encoding: bytes) -> str:
    """`zstd`, `gzip` or "": of the first two the one the caller likes better, zstd where it is all the same.

    Quick for headers seen before.
    """
    return _known_coding(accept_encoding) if len(accept_encoding) <= _KEPT_BYTES else _best_coding(accept_encoding)


def _format(name: str | None, accept: bytes) -> Format:
    if name is not None:
        if name not in FORMATS:
            raise InvalidParameter.of("format", name, valid=tuple(FORMATS))
        return FORMATS[name]
    best = format_accepted(accept)
    if best is None:
        raise NotAcceptable(f"Accept: {accept[:200].decode('latin-1')} fits none of {', '.join(_BY_MEDIA_TYPE)}")
    return FORMATS[best]


def _best_format(accept: bytes) -> str | None:
    """The format the caller likes best (RFC 9110, 12.5.1).

    The most specific range that fits a media type says how well it is liked; `q=0` refuses it. Where several are liked
    as well, the most specific range counts, then the range that comes first, then the order of the formats.
    """
    ranges = _weights(accept)
    if not ranges:
        return _DEFAULT
    places = {kind: place for place, kind in enumerate(ranges)}
    best: tuple[float, int, int] | None = None
    chosen = None
    for media_type, name in _OFFERED.items():
        fitting = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        kind = next((kind for kind in fitting if kind in ranges), None)
        if kind is None or not ranges[kind]:
            continue
        rank = (ranges[kind], -fitting.index(kind), -places[kind])
        if best is None or rank > best:
            best, chosen = rank, name
    return chosen


def _best_coding(accept_encoding: bytes) -> str:
    weights = _weights(accept_encoding)
    best = max(_CODINGS, key=lambda name: weights.get(name, 0.0))
    return best if weights.get(best, 0.0) > 0 else ""


_known_format = lru_cache(maxsize=_KEPT)(_best_format)
_known_coding = lru_cache(maxsize=_KEPT)(_best_coding)


def _weights(header: bytes) -> dict[str, float]:
    """What a header lists, in lower case and in order, and the weight of each; of a longer list the beginning."""
    entries = header.decode("latin-1").lower().split(",", _MOST_ENTRIES)[:_MOST_ENTRIES]
    named = ((entry.partition(";")[0].strip(), entry) for entry in entries)
    return {name: _weight(entry) for name, entry in named if name}


def _weight(entry: str) -> float:
    """The `q` of one entry of a header; 1 where it has none that can be read."""
    for parameter in entry.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and _WEIGHT.fullmatch(value.strip()):
            return float(value)
    return 1.0


def compressed(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The chunks in that coding: `zstd`, `gzip`, or "" for as they are."""
    if not coding:
        yield from chunks
        return
    if coding == "zstd":
        squeeze = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        yield from _compressed_chunks(chunks, squeeze)
        return
    yield from _compressed_chunks(chunks, zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW))


def _compressed_chunks(
    chunks: Iterable[bytes], squeeze: "zstandard.ZstdCompressionObj | zlib._Compress"
) -> Iterator[bytes]:
    for chunk in chunks:
        out = squeeze.compress(chunk)
        if out:
            yield out
    yield squeeze.flush()
