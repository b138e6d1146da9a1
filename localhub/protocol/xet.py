"""What a Xet client uploads: xorbs (runs of compressed chunks) and shards (which chunks make which file).

Formats: https://huggingface.co/docs/xet, "xorb" and "shard".
"""

import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from localhub.errors import bad_request, too_large

MAX_XORB_BYTES = 64 * 1024 * 1024 + 1024 * 1024  # the specification's limit on what is serialized, and its footer
MAX_CHUNKS = 2_000_000  # read for one shard: 128 GiB at the usual 64 KiB a chunk

_RECORD_BYTES = 48
_FILE_HEADER = struct.Struct("<32sIIQ")  # file hash, flags, number of segments, unused
_SEGMENT = struct.Struct("<32sIIII")  # xorb hash, flags, unpacked bytes, first chunk, chunk after the last
_WITH_VERIFICATION, _WITH_METADATA = 1 << 31, 1 << 30
_LAST = b"\xff" * 32
_CHUNK_HEADER_BYTES = 8
_PLAIN, _LZ4, _GROUPED_LZ4 = 0, 1, 2
_GROUPS = 4


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A run of a file's bytes: chunks `first` to before `end` of a xorb, `size` bytes when unpacked."""

    xorb: str
    first: int
    end: int
    size: int


def hash_text(raw: bytes) -> str:
    """A 32-byte hash as Xet writes it in URLs: as four little-endian 64-bit numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def read_shard(body: bytes) -> list[list[Segment]]:
    """The files of a shard, each as its segments in order.

    Raises:
        HubError: 400 for a shard cut short.
    """
    try:
        return list(_files(body))
    except struct.error as error:
        raise bad_request("The shard is cut short") from error


def _files(body: bytes) -> Iterator[list[Segment]]:
    at = _RECORD_BYTES  # after the shard's own header
    while True:
        file_hash, flags, count, _ = _FILE_HEADER.unpack_from(body, at)
        at += _RECORD_BYTES
        if file_hash == _LAST:
            return
        yield [_segment(body, at + number * _RECORD_BYTES) for number in range(count)]
        records = count * (2 if flags & _WITH_VERIFICATION else 1) + (1 if flags & _WITH_METADATA else 0)
        at += records * _RECORD_BYTES


def _segment(body: bytes, at: int) -> Segment:
    xorb, _, size, first, end = _SEGMENT.unpack_from(body, at)
    return Segment(xorb=hash_text(xorb), first=first, end=end, size=size)


class Unpacker:
    """The files of one shard out of their xorbs.

    Where each chunk begins is noted, so that no xorb is walked through again for each of the segments in it.

    Args:
        open_xorb: gives the xorb of a hash, from its beginning.
    """

    def __init__(self, open_xorb: Callable[[str], BinaryIO]) -> None:
        self._open = open_xorb
        self._starts: dict[str, array[int]] = {}
        self._headers_left = MAX_CHUNKS

    def chunks(self, segment: Segment) -> Iterator[bytes]:
        """The unpacked chunks of a segment, one after the other.

        Raises:
            HubError: 400 if they are not there or cannot be unpacked, 413 after `MAX_CHUNKS` of them.
        """
        starts = self._starts.setdefault(segment.xorb, array("Q", [0]))
        with self._open(segment.xorb) as xorb:
            while len(starts) <= segment.first:
                self._header(xorb, starts, len(starts) - 1)
            for number in range(segment.first, segment.end):
                header = self._header(xorb, starts, number)
                packed = xorb.read(_packed_size(header))
                yield _unpacked(packed, scheme=header[4], size=int.from_bytes(header[5:8], "little"))

    def _header(self, xorb: BinaryIO, starts: "array[int]", number: int) -> bytes:
        self._headers_left -= 1
        if self._headers_left < 0:
            raise too_large(f"A shard may name {MAX_CHUNKS} chunks at most")
        xorb.seek(starts[number])
        header = xorb.read(_CHUNK_HEADER_BYTES)
        if len(header) < _CHUNK_HEADER_BYTES or header[0] != 0:
            raise bad_request("The xorb has fewer chunks than the shard says")
        if number + 1 == len(starts):
            starts.append(starts[number] + _CHUNK_HEADER_BYTES + _packed_size(header))
        return header


def _packed_size(header: bytes) -> int:
    return int.from_bytes(header[1:4], "little")


def _unpacked(packed: bytes, *, scheme: int, size: int) -> bytes:
    if scheme == _PLAIN:
        return packed
    if scheme not in {_LZ4, _GROUPED_LZ4}:
        raise bad_request(f"Unknown compression of a chunk: {scheme}")
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only Xet clients need it

    try:
        content: bytes = pa.decompress(packed, size, codec="lz4", asbytes=True)
    except (OSError, ValueError) as error:
        raise bad_request("A chunk cannot be unpacked") from error
    return content if scheme == _LZ4 else _ungrouped(content)


def _ungrouped(grouped: bytes) -> bytes:
    """Undo the grouping of every 1st, 2nd, 3rd and 4th byte of a chunk, which compresses numbers better."""
    content = bytearray(len(grouped))
    at = 0
    for group in range(_GROUPS):
        size = len(range(group, len(grouped), _GROUPS))
        content[group::_GROUPS] = grouped[at : at + size]
        at += size
    return bytes(content)
