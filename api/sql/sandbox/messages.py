"""Messages between server and worker over a Unix socket: JSON with a length before it, then raw bytes or descriptors.

Both halves stand here, the server's on its event loop and the worker's blocking; what a message means does not.
JSON and raw bytes only: a worker that was taken over can hand the server no code.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
DESCRIPTORS_PER_MESSAGE: Final = 64
_CHUNK_BYTES: Final = 1024 * 1024


class MessageTooLong(ValueError):
    """More than a message may hold; nothing of it was sent."""


class WireBroken(ConnectionError):
    """The other side is gone, or said something that is not a message."""


def pack(message: dict[str, Any]) -> bytes:
    """The message with its length before it."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def _unpack(body: bytes | bytearray) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireBroken(f"not a message: {error}") from None
    if not isinstance(message, dict):
        raise WireBroken("not a message: no object")
    return message


def _length_of(head: bytes | bytearray) -> int:
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise WireBroken(f"a message of {length} bytes")
    return int(length)


# The worker's half, blocking.


def _receive_exactly(sock: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        got = sock.recv_into(view)
        if not got:
            raise WireBroken("the server is gone")
        view = view[got:]
    return buffer


def receive(sock: socket.socket) -> dict[str, Any]:
    """Wait for the next message.

    Raises:
        WireBroken: the server is gone.
    """
    return _unpack(_receive_exactly(sock, _length_of(_receive_exactly(sock, _LENGTH.size))))


def receive_descriptors(sock: socket.socket, count: int) -> Iterator[int]:
    """`count` file descriptors as they come in; each is the caller's to close before it takes many more.

    Raises:
        WireBroken: the server is gone, or sent another number of them.
    """
    while count > 0:
        wanted = min(count, DESCRIPTORS_PER_MESSAGE)
        data, got, _flags, _address = socket.recv_fds(sock, 1, wanted)
        if not data or len(got) != wanted:
            raise WireBroken("fewer descriptors than announced")
        yield from got
        count -= wanted


def send(sock: socket.socket, message: dict[str, Any], payload: memoryview | bytes = b"") -> None:
    """Send a message and the bytes that belong to it."""
    sock.sendall(pack(message))
    if payload:
        sock.sendall(payload)


# The server's half, on the event loop; `sock` is non-blocking.


async def areceive_exactly(sock: socket.socket, size: int) -> bytearray:
    """Read `size` bytes.

    Raises:
        WireBroken: the worker is gone.
    """
    loop = asyncio.get_running_loop()
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        got = await loop.sock_recv_into(sock, view[:_CHUNK_BYTES])
        if not got:
            raise WireBroken("the worker is gone")
        view = view[got:]
    return buffer


async def areceive(sock: socket.socket) -> dict[str, Any]:
    """Wait for the worker's next message.

    Raises:
        WireBroken: the worker is gone, or sent no message.
    """
    head = await areceive_exactly(sock, _LENGTH.size)
    return _unpack(await areceive_exactly(sock, _length_of(head)))


async def asend(sock: socket.socket, message: dict[str, Any]) -> None:
    """Send a message.

    Raises:
        MessageTooLong: nothing was sent.
        OSError: the worker is gone.
    """
    data = pack(message)
    if len(data) - _LENGTH.size > MAX_MESSAGE_BYTES:
        raise MessageTooLong(f"a message of {len(data)} bytes")
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def asend_files(sock: socket.socket, paths: Sequence[Path]) -> None:
    """Open files and send their descriptors, a few at a time.

    Raises:
        FileNotFoundError: a file is not there; the worker waits for it in vain.
        OSError: the worker is gone.
    """
    for start in range(0, len(paths), DESCRIPTORS_PER_MESSAGE):
        batch: list[int] = []
        try:
            for path in paths[start : start + DESCRIPTORS_PER_MESSAGE]:
                batch.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - closed whatever comes
            await _send_descriptors(sock, batch)
        finally:
            for descriptor in batch:
                os.close(descriptor)


async def _send_descriptors(sock: socket.socket, descriptors: Sequence[int]) -> None:
    while True:
        try:
            socket.send_fds(sock, [b"f"], descriptors)
        except BlockingIOError:
            await _writable(sock)
        else:
            return


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(sock)
