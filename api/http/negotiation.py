"""Chooses an answer's format and content coding from what the caller says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from litestar import Request

from api.encoders import FORMATS, Format
from api.http.errors import InvalidParameter, NotAcceptable
from api.http.parameters import FormatName, Numbers

_BY_MEDIA_TYPE: Final = {entry.media_type: entry for entry in FORMATS.values()}
_OFFERED: Final[Mapping[str, str]] = {
    **{media_type: entry.name for media_type, entry in _BY_MEDIA_TYPE.items()},
    "application/jsonl": "ndjson",
    "application/ndjson": "ndjson",
}
"""By media type, other names of one included: the format's name."""
_DEFAULT: Final = "json"
NUMBERS: Final = ("number", "string")
_CODINGS: Final = ("zstd", "gzip")
_MOST_ENTRIES: Final = 32
"""Of a longer Accept or Accept-Encoding the rest is ignored; clients send ten at most."""
_KEPT: Final = 512
_KEPT_BYTES: Final = 256
"""How many of these headers are remembered with what they come to, and how long one may be for that."""
_WEIGHT: Final = re.compile(r"(0(\.\d*)?|1(\.0*)?)")


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are to be written: the format, whether floats become text, and the content coding ("" for none)."""

    format: Format
    numbers_as_text: bool
    coding: str


def choose_form(request: Request[Any, Any, Any], format: FormatName = None, numbers: Numbers = None) -> Form:  # noqa: A002
    """How the caller of a request wants rows written. Raises as `form_of`."""
    headers = request.headers
    return form_of(
        format_name=format,
        numbers=numbers,
        accept=headers.get("accept", ""),
        accept_encoding=headers.get("accept-encoding", ""),
    )


def form_of(*, format_name: str | None, numbers: str | None, accept: str, accept_encoding: str) -> Form:
    """The form of an answer; `format=` beats the Accept header.

    Raises:
        InvalidParameter: there is no such format or form of numbers.        NotAcceptable: nothing fits.
    """
    chosen = _format(format_name, accept)
    if numbers not in {None, *NUMBERS}:
        raise InvalidParameter.of("numbers", numbers, valid=NUMBERS)
    coding = (
        coding_accepted(accept_encoding.encode("latin-1", "replace"))
        if chosen.textual or chosen.name == "arrow"
        else ""
    )
    return Form(chosen, numbers_as_text=numbers == "string" and chosen.textual, coding=coding)


def format_accepted(accept: bytes) -> str | None:
    """The name of the format an Accept header comes to, None where it fits none. Quick for headers seen before."""
    return _known_format(accept) if len(accept) <= _KEPT_BYTES else _best_format(accept)


def coding_accepted(accept_encoding: bytes) -> str:
    """`zstd`, `gzip` or "": of the first two the one the caller likes better, zstd where it is all the same.

    Quick for headers seen before.
    """
    return _known_coding(accept_encoding) if len(accept_encoding) <= _KEPT_BYTES else _best_coding(accept_encoding)


def _format(name: str | None, accept: str) -> Format:
    if name is not None:
        if name not in FORMATS:
            raise InvalidParameter.of("format", name, valid=tuple(FORMATS))
        return FORMATS[name]
    best = format_accepted(accept.encode("latin-1", "replace"))
    if best is None:
        raise NotAcceptable(f"Accept: {accept[:200]} fits none of {', '.join(_BY_MEDIA_TYPE)}")
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
