"""Chooses an answer's format and content coding from what the caller says. The formats themselves are in `encoders`."""

import re
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request
from litestar.datastructures.headers import Accept

from api.encoders import FORMATS, Format
from api.errors import InvalidParameter, NotAcceptable
from api.parameters import FormatName, Numbers

_BY_MEDIA_TYPE: Final = {entry.media_type: entry for entry in FORMATS.values()}
_ALIASES: Final = {"application/jsonl": FORMATS["ndjson"], "application/ndjson": FORMATS["ndjson"]}
_OFFERED: Final = [*_BY_MEDIA_TYPE, *_ALIASES]
_ANY: Final = frozenset({"", "*/*", "application/json", "application/*"})
NUMBERS: Final = ("number", "string")
_CODINGS: Final = ("zstd", "gzip")
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
    coding = _coding(accept_encoding) if chosen.textual or chosen.name == "arrow" else ""
    return Form(chosen, numbers_as_text=numbers == "string" and chosen.textual, coding=coding)


def _format(name: str | None, accept: str) -> Format:
    if name is not None:
        if name not in FORMATS:
            raise InvalidParameter.of("format", name, valid=tuple(FORMATS))
        return FORMATS[name]
    if accept in _ANY:
        return FORMATS["json"]
    best = _best(accept)
    if best is None:
        raise NotAcceptable(f"Accept: {accept[:200]} fits none of {', '.join(_BY_MEDIA_TYPE)}")
    return _BY_MEDIA_TYPE.get(best) or _ALIASES[best]


def _best(accept: str) -> str | None:
    """The media type that suits best; what comes with `q=0` is refused (RFC 9110, 12.4.2)."""
    weights = {part.partition(";")[0].strip().lower(): _weight(part) for part in accept.split(",")}
    refused = {kind for kind, weight in weights.items() if weight == 0}
    wanted = ",".join(f"{kind};q={weight:g}" for kind, weight in weights.items() if weight > 0)
    return Accept(wanted).best_match([kind for kind in _OFFERED if kind not in refused]) if wanted else None


def _coding(accept_encoding: str) -> str:
    """zstd, gzip or none: of the first two the one the caller likes better, zstd where it is all the same."""
    weights = {part.partition(";")[0].strip(): _weight(part) for part in accept_encoding.lower().split(",")}
    best = max(_CODINGS, key=lambda name: weights.get(name, 0.0))
    return best if weights.get(best, 0.0) > 0 else ""


def _weight(part: str) -> float:
    """The `q` of one entry of a header; 1 where it has none that can be read."""
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q" and _WEIGHT.fullmatch(value.strip()):
            return float(value)
    return 1.0
