"""What values of settings look like, each kind as a type that reads and checks its text.

What a check raises says what would be valid; the name and the value are put before it there.
"""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from datahub_assets.datasets.candles.intervals import INTERVALS

_MOST_COINS: Final = 5000
_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,30}")
_COIN_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_NO_WHOLE_NUMBER: Final = re.compile(r"[0-9]+\.[0-9]*|\.[0-9]+|[0-9]*\.?[0-9]+e[0-9]+")
"""What a person means as a number though a coin id may be spelt so; whole numbers are ids of coins, such as `1337`."""
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,95})")


def _words(value: object) -> object:
    """A comma-separated text as a tuple of its non-empty words, without repeats."""
    if isinstance(value, str):
        return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be a plain URL without credentials, query or fragment")
    return value.rstrip("/")


def _urls(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name at least one host")
    return tuple(_url(url) for url in value)


def _coins(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        value = int(value)
    if isinstance(value, int) and 1 <= value <= _MOST_COINS:
        return value
    words = _words(value)
    if not isinstance(words, tuple) or not words or not all(_is_coin_id(str(word)) for word in words):
        raise ValueError(f"must be a whole number from 1 to {_MOST_COINS}, or CoinGecko ids such as bitcoin,ethereum")
    return words


def _is_coin_id(word: str) -> bool:
    return _COIN_ID.fullmatch(word) is not None and _NO_WHOLE_NUMBER.fullmatch(word) is None


def _symbols(value: object) -> object:
    if isinstance(value, str) and value.startswith("all:") and _SYMBOL.fullmatch(value.removeprefix("all:")):
        return value
    words = _words(value)
    if not isinstance(words, tuple) or not words or not all(_SYMBOL.fullmatch(str(word)) for word in words):
        raise ValueError("must be a list of pairs such as BTCUSDT,ETHUSDT, or all:USDT")
    return words


def _intervals(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or any(name not in INTERVALS for name in value):
        raise ValueError(f"must be a list out of {', '.join(INTERVALS)}")
    return value


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError("must be the name of a Hub account or organisation")
    return value


def _folder(value: Path) -> Path:
    """A folder, or where one can be made."""
    try:
        there = next((path for path in (value, *value.absolute().parents) if path.exists()), None)
        if there is not None and not there.is_dir():
            raise ValueError(f"must be a folder, or where one can be made: {there} is a file")
    except OSError as error:
        raise ValueError(f"must be a folder, or where one can be made: {error.strerror}") from error
    return value


def _printable(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(word) if "/" in word else ip_address(word)) for word in value)
    except ValueError as error:
        raise ValueError(f"must be a list of addresses and networks such as 10.0.0.5,10.1.0.0/16: {error}") from None


Home = Annotated[Path, AfterValidator(_folder)]
Port = Annotated[int, Field(ge=1, le=65535)]
Secret = Annotated[SecretStr, AfterValidator(_printable)]
Account = Annotated[str, AfterValidator(_account)]
Url = Annotated[str, AfterValidator(_url)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Urls = Annotated[Words, AfterValidator(_urls)]
Networks = Annotated[Words, AfterValidator(_networks)]
Intervals = Annotated[Words, AfterValidator(_intervals)]
Coins = Annotated[int | tuple[str, ...], BeforeValidator(_coins)]
"""How many of the largest, or which by CoinGecko's ids."""
Symbols = Annotated[tuple[str, ...] | str, BeforeValidator(_symbols)]
"""Which pairs, or `all:` and a quote."""
