"""How callers narrow the rows of a dataset down: a parameter that means a column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Spelling(StrEnum):
    """How values of a column are spelt; callers may spell them in any case unless it is EXACT."""

    EXACT = "exact"
    UPPER = "upper"
    LOWER = "lower"


def in_capitals(text: str) -> str:
    """A text in capital letters; as it is where it could not be had back from them, as `ı` and `ß`."""
    capitals = text.upper()
    return capitals if capitals.lower() == text.lower() else text


def in_small_letters(text: str) -> str:
    """A text in small letters; as it is where it could not be had back from them, as `İ`."""
    small = text.lower()
    return small if small.upper() == text.upper() else text


SPELT: Final[Mapping[Spelling, Callable[[str], str]]] = {
    Spelling.EXACT: str,
    Spelling.UPPER: in_capitals,
    Spelling.LOWER: in_small_letters,
}
"""Makes a value one of a column that is so spelt."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What is told of a value that no row has: the error's code (status 404), and what such a value is called."""

    code: str
    noun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A parameter and the column it means.

    What it does follows from the kind of the column: texts and counts are compared with the values given, lists of
    texts hold one of them, and of a flag the rows are kept for which it is true.

    Attributes:
        parameter: its public name: `symbol`.
        doc: what it means, for the API's documentation.
        example: values that run.
        many: whether several values may be given, comma-separated.
        required: whether a caller must give one.
        default: the value of a caller who gives none.
        spelling: how the column spells its values.
        separators: characters that callers may write between the parts of a value, and the column does not: `BTC/USDT`.
        newest: the value is looked up among the newest rows of all series, and the largest of those that have it is
            meant (of a dataset whose `newest` is NewestOfEach). Such a filter and one of the series itself each add
            series to the choice; all other filters narrow it.
        names_row: the column is what rows go by, so that the parameter `symbol` of coverage and stream means it too.
        words: the value is words, all of which must stand in the text, in any order and case.
        mistaken_for: columns whose values callers may give instead; of such a one the value that is meant is suggested.
            (Of a dataset whose `newest` is NewestOfEach.)
        unknown: what is told of a value that no row has (of a series or the group only, whose values are all known);
            None where such a value has an empty answer.
    """

    parameter: str
    column: str
    doc: str
    example: tuple[str, ...] = ()
    many: bool = True
    required: bool = False
    default: str | None = None
    spelling: Spelling = Spelling.EXACT
    separators: str = ""
    newest: bool = False
    names_row: bool = False
    words: bool = False
    mistaken_for: tuple[str, ...] = ()
    unknown: Unknown | None = None

    def spelt(self, value: str) -> str:
        """A value that a caller gave, as the column spells it."""
        return SPELT[self.spelling]("".join(letter for letter in value if letter not in self.separators))
