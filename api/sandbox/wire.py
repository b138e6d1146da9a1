"""Messages between server and worker over a Unix socket: JSON with a length before it, then raw bytes or descriptors.

Both halves stand here, the server's on its event loop and the worker's blocking; what a message means does not.
JSON and raw bytes only: a worker that was taken over can hand the server no code.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
DESCRIPTORS_PER_MESSAGE: Final = 64
_CHUNK_BYTES: Final = 1024 * 1024


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


def receive_descriptors(sock: socket.socket, count: int) -> list[int]:
    """Wait for `count` file descriptors; the caller owns them from then on.

    Raises:
        WireBroken: the server is gone, or sent another number of them.
    """
    descriptors: list[int] = []
    while len(descriptors) < count:
        wanted = min(count - len(descriptors), DESCRIPTORS_PER_MESSAGE)
        data, got, _flags, _address = socket.recv_fds(sock, 1, wanted)
        if not data or len(got) != wanted:
            raise WireBroken("fewer descriptors than announced")
        descriptors.extend(got)
    return descriptors


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
        WireBroken: the message is longer than a message may be.
        OSError: the worker is gone.
    """
    data = pack(message)
    if len(data) - _LENGTH.size > MAX_MESSAGE_BYTES:
        raise WireBroken(f"a message of {len(data)} bytes")
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def asend_descriptors(sock: socket.socket, descriptors: Sequence[int]) -> None:
    """Send open files; the worker gets copies, the caller still owns its own."""
    for start in range(0, len(descriptors), DESCRIPTORS_PER_MESSAGE):
        batch = list(descriptors[start : start + DESCRIPTORS_PER_MESSAGE])
        while True:
            try:
                socket.send_fds(sock, [b"f"], batch)
                break
            except BlockingIOError:
                await _writable(sock)


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_writer(sock)
