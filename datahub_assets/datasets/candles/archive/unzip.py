"""The one CSV of a zip, within bounds: what inflates beyond them is not read."""

import zipfile
import zlib
from collections.abc import Collection
from io import BytesIO
from typing import Final

_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What `zipfile` raises for content that is no zip, cut short, encrypted, or packed in a way it does not know."""


class UnreadableFile(ValueError):
    """A file that nothing can be taken from; the message says what is wrong with it."""


def unzipped(content: bytes, *, names: Collection[str], most_bytes: int) -> bytes:
    """The content of the one member, which has one of these names.

    Raises:
        UnreadableFile: it is no zip, does not hold that one member, or holds more than `most_bytes`.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            member = _member(archive.infolist(), names, most_bytes=most_bytes)
            with archive.open(member) as file:
                return file.read(most_bytes)  # with a bound, since a zip may hold more than it declares
    except UnreadableFile:
        raise
    except _BROKEN as error:
        raise UnreadableFile(f"the zip cannot be read: {error or type(error).__name__}") from error


def _member(members: list[zipfile.ZipInfo], names: Collection[str], *, most_bytes: int) -> zipfile.ZipInfo:
    if len(members) != 1:
        raise UnreadableFile(f"the zip has {len(members)} members, not one")
    (member,) = members
    if member.filename not in names:
        raise UnreadableFile(f"the zip holds {member.filename[:80]!r}, not {next(iter(names))!r}")
    if member.file_size > most_bytes:
        raise UnreadableFile(f"the zip inflates to {member.file_size} bytes, more than {most_bytes}")
    return member
