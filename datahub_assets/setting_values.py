"""What values of settings look like, each kind as a type that reads and checks its text.

What a check raises says what would be valid; the name and the value are put before it there.
"""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_ACCOUNT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,95})")


def words(value: object) -> object:
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
Words = Annotated[tuple[str, ...], BeforeValidator(words)]
Urls = Annotated[Words, AfterValidator(_urls)]
Networks = Annotated[Words, AfterValidator(_networks)]
