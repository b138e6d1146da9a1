"""The file of client tokens: who may read from the API besides accounts of the Hub. Of a token only a hash is kept.

`datahub token` writes it, the API reads it. It lies in the home, mode 600.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

from datahub_system.files.private import checked_file
from datahub_system.files.whole import write_whole

PREFIX: Final = "dhc_"
"""What client tokens begin with; those of Hubs begin otherwise."""
_RANDOM: Final = 43
"""Characters of 62, which are 256 bits: too many to guess, so the hash needs neither salt nor cost."""
_ALPHABET: Final = string.ascii_letters + string.digits
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ClientTokensError(Exception):
    """Client tokens cannot be read, or not be changed in this way; the message says what to do."""


class NoSuchClientToken(ClientTokensError):
    """There is no token of that name."""


@dataclass(frozen=True, slots=True)
class ClientToken:
    """A token as it is kept.

    Attributes:
        sha256: of the token, in hex.        in_url: whether it may come in a URL.        made: ISO 8601, UTC.
    """

    name: str
    sha256: str
    in_url: bool
    made: str


def load(path: Path) -> tuple[ClientToken, ...]:
    """All client tokens, oldest first; none where there is no file.

    Raises:
        UnsafePath: the file is another user's.        OSError: it cannot be read.
        ClientTokensError: it is not what was written.
    """
    try:
        checked_file(path)
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return tuple(_token(entry) for entry in json.loads(content)["tokens"])
    except (ValueError, TypeError, KeyError) as error:
        raise ClientTokensError(
            f"{path} cannot be understood ({error!r}): remove it, and make the tokens anew"
        ) from None


def add(path: Path, name: str, *, in_url: bool, made: str) -> str:
    """Make a token of that name and keep its hash; returns the token, for the only time.

    Raises:
        ClientTokensError: the name is not one, or taken.        UnsafePath, OSError: as `load`.
    """
    if not _NAME.fullmatch(name):
        raise ClientTokensError(
            f"{name[:80]!r} cannot name a token: 1 to 64 letters, digits, `.`, `_` and `-`, a letter or digit first"
        )
    token = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    with _alone(path):
        known = load(path)
        if name in {one.name for one in known}:
            raise ClientTokensError(f"there is a client token '{name}' already. To end it: datahub token remove {name}")
        _store(path, (*known, ClientToken(name, hashlib.sha256(token.encode()).hexdigest(), in_url, made)))
    return token


def remove(path: Path, name: str) -> None:
    """Forget the token of that name.

    Raises:
        NoSuchClientToken: there is none.        UnsafePath, OSError: as `load`.
    """
    known = load(path)
    if name not in {one.name for one in known}:
        there = ", ".join(one.name for one in known) or "none"
        raise NoSuchClientToken(f"there is no client token '{name[:80]}'; there are: {there}")
    with _alone(path):
        _store(path, tuple(one for one in load(path) if one.name != name))


def _token(entry: object) -> ClientToken:
    match entry:
        case {"name": str(name), "sha256": str(sha256), "in_url": bool(in_url), "made": str(made)}:
            bytes.fromhex(sha256)
            return ClientToken(name, sha256, in_url, made)
    raise ValueError("an entry is no token")


def _store(path: Path, tokens: tuple[ClientToken, ...]) -> None:
    text = json.dumps({"tokens": [asdict(one) for one in tokens]}, indent=1)

    def write(file: BinaryIO) -> None:
        os.fchmod(file.fileno(), 0o600)
        file.write(f"{text}\n".encode())

    write_whole(path, write)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other commands from changing the file meanwhile: its folder is locked, as the file itself is replaced."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
