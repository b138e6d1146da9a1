"""How pairs are spelt and named: letters of any script but small Latin ones, digits, `-`, `_` and `.`."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from litestar.params import QueryParameter

from api.dropin.binance.errors import BinanceRefusal, illegal

SYMBOL_FORM: Final = r"^[\w\-._&&[^a-z]]{1,50}$"
"""The form as Binance's API writes it in its refusals (a regular expression of Java)."""
_SYMBOL: Final = re.compile(r"(?:(?![a-z])[\w\-.]){1,50}")
OnePair = Annotated[str | None, QueryParameter(description="only this pair")]
SomePairs = Annotated[str | None, QueryParameter(description='only these pairs: `["BTCUSDT","ETHUSDT"]`')]


def check_symbol(name: str, value: str) -> None:
    """Refuse what cannot be a pair; a pair that is spelt well and not there is another error.

    Raises:
        BinanceRefusal: with the code for illegal characters, and the parameter's name.
    """
    if not _SYMBOL.fullmatch(value):
        raise illegal(name, SYMBOL_FORM)


def named_pairs(symbol: str | None, symbols: str | None) -> tuple[str, ...]:
    """The pairs that are named by `symbol`, or by the JSON list `symbols`; none where both are missing.

    Raises:
        BinanceRefusal: one of them cannot be a pair, or the list is none.
    """
    named = (symbol,) if symbol is not None else listed("symbols", symbols, form=SYMBOL_FORM)
    for name in named:
        check_symbol("symbol" if symbol is not None else "symbols", name)
    return named


def listed(name: str, text: str | None, *, form: str) -> tuple[str, ...]:
    """The words of a JSON list, each once; `form` is that of the words, for the refusal.

    Raises:
        BinanceRefusal: it is no such list.
    """
    if text is None:
        return ()
    try:
        return tuple(dict.fromkeys(msgspec.json.decode(text, type=list[str])))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError):
        raise illegal(name, f'["{form.strip("^$")}", …]') from None


def unknown_pairs(names: Iterable[str]) -> BinanceRefusal:
    """There are no candles of these pairs."""
    return BinanceRefusal(-1121, f"Invalid symbol. The hub holds no candles of {', '.join(names)}.")
