"""Bodies of requests are bounded in size and in time, and who hangs up in the middle of one is nobody's error."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from datahub_system.net.bodies import ENDED_EARLY, BodyLimit
from localhub.testing import HubServer
from tests.api.conftest import until
from tests.api.process import free_port, process, wait_until_serving
from tests.api.workers import Workers

WAIT_S = 20.0


class Connection:
    """The two channels of a request whose body comes in these pieces; None is a pause without end."""

    def __init__(self, *pieces: bytes | None, then: str = "whole") -> None:
        self._pieces = list(pieces)
        self._then = then
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self._pieces:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        if piece is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._then != "whole"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


async def body_of(receive: Any) -> AsyncIterator[bytes]:
    """As a framework reads it."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def limited(connection: Connection, *headers: tuple[bytes, bytes], **limits: Any) -> dict[str, Any]:
    """What an application that echoes its body's length answers behind the limit; the scope afterwards."""
    scope: dict[str, Any] = {"type": "http", "path": "/x", "http_version": "1.1", "headers": list(headers)}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size = sum([len(piece) async for piece in body_of(receive)])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % size)]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def run() -> None:
        layer = BodyLimit(app, **({"max_bytes": 10, "seconds": WAIT_S} | limits))
        await asyncio.wait_for(layer(scope, connection.receive, connection.send), WAIT_S)

    asyncio.run(run())
    return scope


CHUNKED = (b"transfer-encoding", b"chunked")


def test_a_body_within_bounds_passes() -> None:
    connection = Connection(b"12345", b"67890")
    scope = limited(connection, CHUNKED)
    assert connection.status == 200
    assert connection.sent[0]["headers"] == [(b"x-size", b"10")]
    assert ENDED_EARLY not in scope


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        ([(b"content-length", b"11")], [b"12345678901"]),
        ([(b"content-length", b"9" * 400)], [None]),
        ([CHUNKED], [b"12345", b"678901"]),
        ([CHUNKED], [b"1"] * 11),
        ([(b"content-length", b"nonsense")], [b"12345678901"]),
    ],
)
def test_a_large_body_is_413(headers: list[tuple[bytes, bytes]], pieces: list[bytes | None]) -> None:
    connection = Connection(*pieces)
    assert limited(connection, *headers)[ENDED_EARLY]
    assert connection.status == 413
    assert (b"connection", b"close") in connection.sent[0]["headers"]
    assert [message["type"] for message in connection.sent] == ["http.response.start", "http.response.body"]


def test_a_body_that_drips_is_408() -> None:
    connection = Connection(b"1", b"2", None)
    limited(connection, CHUNKED, seconds=0.1)
    assert connection.status == 408


def test_what_came_earns_time() -> None:
    connection = Connection(b"12345", None)
    began_s = time.monotonic()
    limited(connection, CHUNKED, seconds=0.0, bytes_per_s=10.0)
    assert connection.status == 408
    assert time.monotonic() - began_s >= 0.4


def test_a_client_that_leaves_is_nobodys_error() -> None:
    connection = Connection(b"1", b"2", then="gone")
    assert limited(connection, CHUNKED)[ENDED_EARLY]
    assert connection.status is None


def test_the_limit_may_depend_on_the_request() -> None:
    connection = Connection(b"x" * 20)
    limited(connection, CHUNKED, max_bytes=lambda scope: 20 if scope["path"] == "/x" else 1)
    assert connection.status == 200


def test_an_error_of_the_application_is_its_own() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("of the application")

    connection = Connection(b"1")
    scope = {"type": "http", "path": "/", "headers": [CHUNKED]}
    with pytest.raises(LookupError):
        asyncio.run(BodyLimit(broken, max_bytes=1, seconds=1)(scope, connection.receive, connection.send))


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/api/hub/sql", "/api/hub/webhook"])
def test_the_api_refuses_large_bodies(hub: HubServer, url: str, path: str, *, chunked: bool) -> None:
    large = b"x" * (2 << 20)
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{url}{path}", content=iter([large]) if chunked else large, headers=headers)
    if path == "/api/hub/webhook" and chunked:
        assert answer.status_code == 403  # refused before its body is read
    else:
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_clients_that_hang_up_leave_nothing_in_the_log(hub: HubServer, seeded: Workers, tmp_path: Path) -> None:
    port = free_port()
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "DATAHUB_HOME": str(tmp_path)}
    environ |= {"DATAHUB_WEBHOOK_SECRET": "s3cr3t", "DATAHUB_RATE_LIMIT_PER_MIN": "0"}
    head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {hub.token}\r\nX-Webhook-Secret: s3cr3t\r\n"
    head += "Content-Type: application/json\r\n"
    begun = [
        f"POST {path} {head}{how}\r\n\r\n{body}"
        for path in ("/api/hub/sql", "/api/hub/webhook")
        for how, body in (("Content-Length: 1000", '{"sql'), ("Transfer-Encoding: chunked", '5\r\n{"sql\r\n'))
    ]
    begun += [f"GET {path} {head}\r\n" for path in ("/api/hub/stream", "/api/hub/market", "/docs/assets/scalar.js")]
    with process(environ, "serve", "--port", str(port)) as started:
        url = f"http://127.0.0.1:{port}"
        wait_until_serving(url)
        for request in begun * 3:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(request.encode())
                time.sleep(0.05)  # so that the server has begun with it
        left = 'datahub_http_requests_total{path="/api/hub/webhook",status="499"} 6.0'
        until(lambda: left in httpx.get(f"{url}/metrics").text)
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=WAIT_S)
    assert started.returncode == 0
    assert "Traceback" not in said
    assert " ERROR " not in said
    assert " WARNING " not in said
