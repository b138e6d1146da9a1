"""Proxies on loopback that remember what they were asked for: one for HTTP (forwarding and CONNECT), one for SOCKS 5.

They find every name on 127.0.0.1, at the port that was asked for, and reach nothing else: asked for this machine itself
they fail, as a proxy elsewhere would reach itself then.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from datahub_system.net.addresses import is_this_machine

_HEAD_END = b"\r\n\r\n"


class NotReached(Exception):
    """The proxy will not or cannot go there."""


class _Proxy:
    """A server in a thread of its own. Use it as a context manager.

    Attributes:
        asked: host and port of every request or tunnel, in order.
        heard: all that clients sent, the requests to the proxy included.
    """

    scheme = ""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.heard = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """For HTTP_PROXY and its kin."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def hosts(self) -> set[str]:
        """All hosts that were asked for."""
        return {host for host, _ in self.asked}

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _run(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, sock=self._listener)
        ready.set()
        await self._stopping.wait()
        server.close()
        await asyncio.sleep(0.05)  # so that connections accepted just now are in the hands of a task that closes them
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            await _closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _reach(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.asked.append((host, port))
        if is_this_machine(host):
            raise NotReached(host)
        connecting = asyncio.ensure_future(asyncio.open_connection("127.0.0.1", port))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            with suppress(OSError):
                await _closed((await connecting)[1])
            raise

    async def _tunnel(
        self,
        client: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, heard: bool) -> None:
            while data := await source.read(65536):
                if heard:
                    self.heard += data
                sink.write(data)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(client, there[1], heard=True), pump(there[0], back, heard=False))
        finally:
            await _closed(there[1])


class HttpProxy(_Proxy):
    """An HTTP proxy; with `authorization`, the value of Proxy-Authorization it wants."""

    scheme = "http"

    def __init__(self, *, authorization: str | None = None) -> None:
        super().__init__()
        self._authorization = authorization

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(_HEAD_END)
        self.heard += head
        method, target, *_ = head.split(b"\r\n", 1)[0].decode().split(" ")
        scheme_less = target.partition("://")[2] or target
        place, slash, path = scheme_less.partition("/")
        host, _, port = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "80")
        wanted = self._authorization
        if wanted is not None and f"proxy-authorization: {wanted}".lower() not in head.decode().lower():
            await _say(writer, "407 Proxy Authentication Required")
            return
        try:
            there = await self._reach(host, int(port))
        except (NotReached, OSError):
            await _say(writer, "502 Bad Gateway")
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await self._tunnel(reader, writer, there)
            return
        kept = [line for line in head.split(b"\r\n")[1:-2] if not line.lower().startswith((b"proxy-", b"connection:"))]
        lines = [f"{method} {slash}{path} HTTP/1.1".encode(), *kept, b"Connection: close"]
        there[1].write(b"\r\n".join(lines) + _HEAD_END)
        body = asyncio.create_task(_copy(reader, there[1]))
        try:
            await _answer(there[0], writer)
        finally:
            body.cancel()
            await asyncio.gather(body, return_exceptions=True)
            await _closed(there[1])


class SocksProxy(_Proxy):
    """A SOCKS 5 proxy (RFC 1928) that asks for no password."""

    scheme = "socks5"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, await reader.readexactly(4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        try:
            there = await self._reach(host, port)
        except (NotReached, OSError):
            writer.write(b"\x05\x04\x00\x01" + bytes(6))
            await writer.drain()
            return
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self._tunnel(reader, writer, there)


async def _answer(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await there.readuntil(_HEAD_END)
    writer.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
    await _copy(there, writer)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _say(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
