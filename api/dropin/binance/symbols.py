"""How pairs are spelt: letters of any script but small Latin ones, digits, `-`, `_` and `.`."""

import re
from typing import Final

from api.dropin.binance.errors import illegal

SYMBOL_FORM: Final = r"^[\w\-._&&[^a-z]]{1,50}$"
"""The form as Binance's API writes it in its refusals (a regular expression of Java)."""
_SYMBOL: Final = re.compile(r"(?:(?![a-z])[\w\-.]){1,50}")


def check_symbol(name: str, value: str) -> None:
    """Refuse what cannot be a pair; a pair that is spelt well and not there is another error.

    Raises:
        BinanceRefusal: with the code for illegal characters, and the parameter's name.
    """
    if not _SYMBOL.fullmatch(value):
        raise illegal(name, SYMBOL_FORM)
