"""One file of the archive with its CHECKSUM: what came, and whether it is what the archive says it is."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from datahub_assets.datasets.candles.archive.names import CHECKSUM
from datahub_assets.domain.history import Verdict

MOST_BYTES: Final = 32 * 2**20
"""Of a zip; a month of one-minute candles has about 2 MB."""
_MOST_CHECKSUM_BYTES: Final = 64 * 2**10
_CHECKSUM_LINE: Final = re.compile(rb"([0-9a-f]{64}) [ *](\S+)\s*", re.IGNORECASE)
_TRIES: Final = 2
"""A file that does not fit its CHECKSUM may just be being replaced: both are asked for once more."""

Get = Callable[[str, int], Awaitable[bytes | None]]
"""Gets a key's content of at most so many bytes; None: there is no such file."""


@dataclass(frozen=True, slots=True)
class Download:
    """What came for a key.

    Attributes:
        content: the file, None where there is none or it is not to be believed.
        sha256: of what came, believed or not.
        verdict: why there is no content; None where there is.        detail: the same as a sentence.
    """

    key: str
    content: bytes | None
    sha256: str | None
    verdict: Verdict | None = None
    detail: str = ""


async def download(get: Get, key: str) -> Download:
    """The file of a key, checked against its CHECKSUM.

    Raises:
        SourceError: one of the two could not be asked for.
    """
    found = await _once(get, key)
    for _ in range(_TRIES - 1):
        if found.verdict is not Verdict.BAD_CHECKSUM:
            break
        found = await _once(get, key)
    return found


async def _once(get: Get, key: str) -> Download:
    content, checksum = await _both(get(key, MOST_BYTES), get(key + CHECKSUM, _MOST_CHECKSUM_BYTES))
    if content is None:
        return Download(key, None, None, Verdict.NO_FILE)
    sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
    wrong = _wrong(checksum, sha256=sha256, name=key.rpartition("/")[2])
    if wrong:
        return Download(key, None, sha256, Verdict.BAD_CHECKSUM, wrong)
    return Download(key, content, sha256)


async def _both(first: Awaitable[bytes | None], second: Awaitable[bytes | None]) -> tuple[bytes | None, bytes | None]:
    """Both answers; neither question is left alone when the other fails."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(other, BaseException):
        raise other
    return one, other


def _wrong(checksum: bytes | None, *, sha256: str, name: str) -> str:
    """What is wrong with a file of this SHA-256 by what its CHECKSUM says; empty: nothing."""
    if checksum is None:
        return "there is no CHECKSUM of it"
    line = _CHECKSUM_LINE.fullmatch(checksum)
    if line is None:
        return f"its CHECKSUM cannot be read: {checksum[:80].decode(errors='replace')!r}"
    told, of = line[1].decode().lower(), line[2].decode(errors="replace")
    if of.rpartition("/")[2] != name:
        return f"its CHECKSUM is of {of[:80]!r}"
    return "" if told == sha256 else f"its SHA-256 is {sha256}, and its CHECKSUM says {told}"
