"""Names that nobody knows, and the known ones they are most like."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

_LEAST_LIKENESS: Final = 0.6
"""As `difflib` counts, from 0 to 1."""


def nearest(name: str, known: Iterable[str], *, least: float = _LEAST_LIKENESS) -> str | None:
    """The known name that is most like this one; None where none is."""
    found = get_close_matches(name, list(known), n=1, cutoff=least)
    return found[0] if found else None


def suggestions(nearest_of: Mapping[str, str | None]) -> str:
    """The end of a line about unknown names, given what each is most like: `; BTCUSTD: did you mean BTCUSDT?`."""
    return "".join(f"; {name}: did you mean {near}?" for name, near in nearest_of.items() if near is not None)
