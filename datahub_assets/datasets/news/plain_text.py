"""Titles as plain text: no markup, no entities, no control characters and none that turn the direction of reading."""

import html
import re
import unicodedata
from typing import Final

_TAG: Final = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_MOST_ROUNDS: Final = 3
"""A title that was encoded twice, and once more for the feed."""
_JOINERS: Final = "\u200c\u200d"
"""Of the invisible characters these two are part of words and of pictures."""


def plain(value: str, *, limit: int) -> str:
    """The text on one line, cut to `limit` characters; empty where nothing is left."""
    for _ in range(_MOST_ROUNDS):
        decoded = html.unescape(_TAG.sub("", value))
        if decoded == value:
            break
        value = decoded
    value = _TAG.sub("", value)
    text = " ".join("".join(map(_shown, value)).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if kind in {"Cf", "Cs"} and character not in _JOINERS else character
