"""Content codings of answer bodies, whole or chunk by chunk."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import zstandard

SMALLEST_BYTES: Final = 1024
"""Bodies smaller than this go out as they are: the headers would weigh more than what is saved."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_GZIP_LEVEL: Final = 5
_ZSTD_LEVEL: Final = 3


def compressed(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The chunks in that coding: `zstd`, `gzip`, or "" for as they are."""
    if not coding:
        yield from chunks
        return
    if coding == "zstd":
        squeeze = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
        yield from _compressed_chunks(chunks, squeeze)
        return
    yield from _compressed_chunks(chunks, zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW))


def coded(body: bytes, coding: str) -> tuple[bytes, str]:
    """A whole body in that coding, and which it is in: "" where it is too small to gain by it."""
    if not coding or len(body) < SMALLEST_BYTES:
        return body, ""
    return b"".join(compressed((body,), coding)), coding


def said_of(coding: str) -> dict[str, str]:
    """The header that names a content coding; none for none."""
    return {"Content-Encoding": coding} if coding else {}


def _compressed_chunks(
    chunks: Iterable[bytes], squeeze: "zstandard.ZstdCompressionObj | zlib._Compress"
) -> Iterator[bytes]:
    for chunk in chunks:
        out = squeeze.compress(chunk)
        if out:
            yield out
    yield squeeze.flush()
