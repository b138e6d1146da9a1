"""Connections that keep a server waiting, over real sockets: closed in seconds, and never in the way of others."""

import asyncio
import contextlib
import dataclasses
import logging
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from datahub_system.net.connections import ConnectionLimits
from tests.api.conftest import until
from tests.api.process import free_port, process
from tests.localhub.process import HubProcess
from tests.serving import WAIT_S, served

QUICK = ConnectionLimits(
    total=20, per_address=16, head_s=0.5, head_bytes=4096, keep_alive_s=0.5, stalled_s=0.5, body_rate=1e6, linger_s=0.5
)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
FLOOD = 1_100


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body if there is one, then answers its length; `/large` answers 64 MiB, `/early` before the body."""
    length = 0
    while scope["path"] != "/early" and (message := await receive())["type"] == "http.request":
        length += len(message["body"])
        if not message["more_body"]:
            break
    body = bytes(64 << 20) if scope["path"] == "/large" else b"%d" % length
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served(echo, limits=QUICK) as address:
        yield address


def connect(address: tuple[str, int], *sent: bytes, source: str = "127.0.0.1") -> socket.socket:
    connection = socket.create_connection(address, timeout=WAIT_S, source_address=(source, 0))
    for piece in sent:
        connection.sendall(piece)
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection, which it has to in time."""
    received = b""
    with connection, contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            received += piece
    return received


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        pytest.param([], b"", id="silent"),
        pytest.param([b"\r\n"], b"", id="an empty line"),
        pytest.param([b"GET / HT"], b"HTTP/1.1 408", id="half a request line"),
        pytest.param([b"GET / HTTP/1.1\r\nHost: x\r\nA"], b"HTTP/1.1 408", id="half a header"),
        pytest.param([GET], b"HTTP/1.1 200", id="idle after an answer"),
        pytest.param([GET, GET[:9]], b"HTTP/1.1 200", id="half a second request"),
        pytest.param([POST, b"12"], b"", id="a body that does not come"),
        pytest.param([POST.replace(b"/ ", b"/early ")], b"HTTP/1.1 200", id="answered before its body came"),
    ],
)
def test_what_keeps_the_server_waiting_is_closed(address: tuple[str, int], sent: list[bytes], said: bytes) -> None:
    assert rest(connect(address, *sent))[: len(said) or None] == said


def test_a_body_that_drips_is_cut_off(address: tuple[str, int]) -> None:
    with connect(address, POST) as connection:
        until(lambda: is_gone(connection))


def test_a_client_that_does_not_read_is_cut_off(address: tuple[str, int]) -> None:
    with connect(address, GET.replace(b"/ ", b"/large ")) as connection:
        until(lambda: is_gone(connection))


def is_gone(connection: socket.socket) -> bool:
    """Whether the server has ended a connection nobody reads from: what is sent to it is answered by a reset."""
    try:
        connection.send(b"x")
    except OSError:
        return True
    return False


def test_a_head_without_end_is_refused(address: tuple[str, int]) -> None:
    for endless in (b"GET /" + b"a" * 9_000, GET[:-2] + b"A: " + b"a" * 9_000, GET[:-2] + b"A: a\r\n" * 2_000):
        with connect(address) as connection, contextlib.suppress(OSError):
            for start in range(0, len(endless), 1_000):
                connection.sendall(endless[start : start + 1_000])
                time.sleep(0.002)
            assert rest(connection)[:12] in {b"HTTP/1.1 431", b""}


def test_a_large_head_in_one_piece_is_refused(address: tuple[str, int]) -> None:
    head = GET[:-2] + b"".join(b"A%d: %s\r\n" % (n, b"a" * 500) for n in range(10)) + b"\r\n"
    assert rest(connect(address, head)).startswith(b"HTTP/1.1 431")


CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"0\r\n" + b"a:b\r\n" * 2_000, id="trailers"),
        pytest.param(b"0\r\na:" + b"b" * 9_000, id="one trailer"),
        pytest.param(b"2\r\n{}\r\n0\r\n" + b"a:b\r\n" * 2_000, id="trailers after a body"),
    ],
)
def test_trailers_without_end_are_refused(address: tuple[str, int], endless: bytes) -> None:
    with connect(address, CHUNKED) as connection, contextlib.suppress(OSError):
        for start in range(0, len(endless), 1_000):
            connection.sendall(endless[start : start + 1_000])
            time.sleep(0.002)
        assert rest(connection)[:12] in {b"HTTP/1.1 431", b""}


def test_trailers_are_no_headers() -> None:
    async def names(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        body = b",".join(name for name, _ in scope["headers"])
        headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with served(names, limits=QUICK) as address:
        answer = rest(connect(address, CHUNKED, b"2\r\n{}\r\n0\r\nAuthorization: Bearer hf_x\r\n\r\n"))
    assert answer.endswith(b"\r\n\r\nhost,transfer-encoding")


def test_few_requests_of_a_connection_wait(address: tuple[str, int]) -> None:
    """A piece of a quarter MiB holds thousands of requests; they are not begun with."""
    received = rest(connect(address, GET * 5_000))
    assert received.count(b"HTTP/1.1 200") <= QUICK.pipelined + 1
    assert b"HTTP/1.1 400" in received


def test_a_client_that_leaves_in_the_middle_of_many_answers_leaves_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"20")]})
        for left in range(20, 0, -1):
            await asyncio.sleep(0.005)
            await send({"type": "http.response.body", "body": b"x", "more_body": left > 1})

    with served(slow, limits=QUICK) as address, caplog.at_level(logging.WARNING):
        for delay_s in (0.0, 0.01, 0.02, 0.05):
            for _ in range(5):
                with connect(address, GET * 8) as connection:
                    time.sleep(delay_s)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert rest(connect(address, GET.replace(b"Host", b"Connection: close\r\nHost"))).startswith(b"HTTP/1.1 200")
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_websockets_leave_room_for_requests() -> None:
    async def accepting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await echo(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    handshake = GET[:-2] + upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    limits = dataclasses.replace(QUICK, websockets=3)
    with served(accepting, limits=limits, websockets=True) as address, contextlib.ExitStack() as stack:
        for _ in range(limits.websockets):
            opened = stack.enter_context(connect(address, handshake))
            assert opened.recv(1000).startswith(b"HTTP/1.1 101")
        assert rest(connect(address, handshake)).startswith(b"HTTP/1.1 503")
        assert rest(connect(address, GET.replace(b"Host", b"Connection: close\r\nHost"))).startswith(b"HTTP/1.1 200")
        opened.close()
        until(lambda: connect_and_read(address, handshake).startswith(b"HTTP/1.1 101"))


def connect_and_read(address: tuple[str, int], sent: bytes) -> bytes:
    with connect(address, sent) as connection:
        return connection.recv(1000)


def test_the_longest_waiting_make_room(address: tuple[str, int]) -> None:
    """Sixteen are this address's share; each of a hundred silent ones gets in, and a request is answered."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(address))
        assert rest(connect(address, GET.replace(b"Host", b"Connection: close\r\nHost"))).startswith(b"HTTP/1.1 200")


def test_one_address_leaves_room_for_others() -> None:
    """Requests that are being worked on are not closed to make room: then it is the crowded address that must wait."""

    async def never(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/never":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await echo(scope, receive, send)

    closing = GET.replace(b"Host", b"Connection: close\r\nHost")
    with served(never, limits=QUICK) as address, contextlib.ExitStack() as stack:
        for _ in range(QUICK.per_address):
            stack.enter_context(connect(address, GET.replace(b"/ ", b"/never ")))
        until(lambda: rest(connect(address, closing)).startswith(b"HTTP/1.1 503"))
        assert rest(connect(address, closing, source="127.0.0.2")).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(address: tuple[str, int]) -> None:
    sent = b"".join(POST.replace(b"1000", b"%d" % n) + b"x" * n for n in (3, 1, 2))
    received = rest(connect(address, sent))
    assert [part.rpartition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 OK")[1:]] == [b"3", b"1", b"2"]


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """This process may open enough connections for a flood."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FLOOD + 500:
        pytest.skip(f"this machine lets a process open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FLOOD + 500), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_flood_of_silent_connections_stops_no_server(tmp_path: Path) -> None:
    """The API and the embedded Hub, as processes, each under 1,100 connections that say nothing."""
    port = free_port()
    with HubProcess(tmp_path / "hub") as hub, many_files():
        environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path / "home")}
        with process(environ, "serve", "--port", str(port)):
            asked = {port: "/api/hub/status", int(hub.url.rpartition(":")[2]): "/api/whoami-v2"}
            until(lambda: _listens(port), timeout_s=60)
            for one, path in asked.items():
                with contextlib.ExitStack() as stack:
                    for _ in range(FLOOD):
                        stack.enter_context(connect(("127.0.0.1", one)))
                    began = time.monotonic()
                    answer = httpx.get(
                        f"http://127.0.0.1:{one}{path}",
                        headers={"Authorization": f"Bearer {hub.token}"},
                        timeout=WAIT_S,
                    )
                    assert answer.status_code == 200
                    assert time.monotonic() - began < 5


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code > 0
    except httpx.TransportError:
        return False
