"""Which coins a title and its tags name: the publisher's tags first, then full names, then symbols. No guesses.

A name or a symbol that several coins have names none of them. Names in titles are looked for as they are written, since
many are words of every day in other letters; symbols of two letters only after a `$`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

_SHORTEST_NAME: Final = 3
_DOLLAR: Final = re.compile(r"\$([A-Za-z][A-Za-z0-9]{0,11})\b")
_CAPITALS: Final = re.compile(r"(?<![\w$.-])([A-Z][A-Z0-9]{2,11})(?![\w.-]*\w)")


class CoinNames:
    """The coins that are known, by names and symbols that only one of them has.

    Args:
        coins: id, symbol and name of each.
    """

    def __init__(self, coins: Iterable[tuple[str, str | None, str | None]]) -> None:
        known = list(dict.fromkeys(coins))
        self._names = _unique((name.casefold(), coin_id) for coin_id, _, name in known if name)
        self._symbols = _unique((symbol, coin_id) for coin_id, symbol, _ in known if symbol)
        written = {name for _, _, name in known if name and len(name) >= _SHORTEST_NAME}
        longest_first = sorted(written, key=lambda name: (-len(name), name))
        alternatives = "|".join(map(re.escape, longest_first))
        self._written = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if longest_first else None

    def __bool__(self) -> bool:
        """Whether any coin is known."""
        return bool(self._names or self._symbols)

    def named(self, title: str, tags: Sequence[str]) -> list[str]:
        """Ids of the coins named, each once, in the order they were found."""
        found = [self._names.get(tag.casefold()) or self._symbols.get(tag) for tag in tags]
        rest = title
        if self._written is not None:
            found += [self._names.get(name.casefold()) for name in self._written.findall(title)]
            rest = self._written.sub(" ", title)
        found += [self._symbols.get(symbol.upper()) for symbol in _DOLLAR.findall(rest)]
        found += [self._symbols.get(symbol) for symbol in _CAPITALS.findall(rest)]
        return list(dict.fromkeys(coin for coin in found if coin is not None))


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Words that only one coin has, and that coin."""
    listed = list(dict.fromkeys(pairs))
    count = Counter(word for word, _ in listed)
    return {word: coin for word, coin in listed if count[word] == 1}
