"""Large bodies over real sockets, on the server the product runs on: they arrive whole, or the client is let go."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Response, get
from litestar.response import Stream

from api.access.admission import Admission, RateLimiter
from api.access.auth import Authenticator
from api.caching.response_cache import CachedAnswer, Repeatable, ResponseCache
from api.engine.hub.reader import Account
from api.http import delivery
from api.http.delivery import PIECE_BYTES, send_in_pieces
from api.http.metrics import Metrics
from api.middleware.front import Front
from tests.api.conftest import until
from tests.serving import served

WAIT_S = 20.0
LARGE = bytes(range(256)) * (32 << 12)  # 32 MiB: more than a socket takes by itself
TOKEN = "hf_ownerownerowner"
SERVED: Any = SimpleNamespace(serves=lambda *_, **__: True)


@get("/whole")
async def whole() -> Response[bytes]:
    return Response(LARGE, media_type="application/octet-stream")


@get("/chunks")
async def chunks() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(LARGE), 3 << 19):
            yield LARGE[start : start + (3 << 19)]

    return Stream(parts(), media_type="application/octet-stream")


def front() -> Front:
    """The front over two large answers, and a third that is hot."""
    cache = ResponseCache(1 << 30)
    cache.put(CachedAnswer(etag=b'"1"', body=LARGE, headers={"ETag": '"1"'}, media_type="application/octet-stream"))
    cache.remember(("/hot", b"", b"*/*", b"identity", b""), Repeatable(b'"1"', SERVED, "a" * 40, True, "/hot"))
    authenticator = Authenticator(owner_token=lambda: TOKEN, whoami=lambda _: Account("nobody", ()))
    admission = Admission(authenticator, RateLimiter(0))
    return Front(Litestar([whole, chunks]), admission=admission, cache=cache, metrics=Metrics())


@contextmanager
def watched() -> Iterator[tuple[tuple[str, int], list[str]]]:
    """The server's address, and the paths it is done with."""
    answering, done = front(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        scope["state"] = {}
        try:
            await answering(scope, receive, send)
        finally:
            done.append(scope["path"])

    with served(app) as address:
        yield address, done


HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "identity"}


@pytest.mark.parametrize("path", ["/whole", "/chunks", "/hot"])
def test_large_bodies_arrive_whole(path: str) -> None:
    with watched() as (address, _):
        answer = httpx.get(f"http://{address[0]}:{address[1]}{path}", headers=HEADERS, timeout=WAIT_S)
    assert answer.content == LARGE
    assert answer.headers.get("content-length") == (None if path == "/chunks" else str(len(LARGE)))


@pytest.mark.parametrize("path", ["/whole", "/chunks", "/hot"])
def test_a_client_that_does_not_read_is_hung_up_on(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE_S", 0.5)
    asked = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "here", "Accept": "*/*", **HEADERS}.items())
    with watched() as (address, done), socket.create_connection(address) as client:
        client.settimeout(WAIT_S)
        client.sendall(f"GET {path} HTTP/1.1\r\n{asked}\r\n".encode())
        until(lambda: done == [path])
        taken = 0
        while piece := client.recv(1 << 20):
            taken += len(piece)
    assert 0 < taken < len(LARGE), "the connection ends, with the answer cut short"


def sent_by(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        found.append(message)

    async def run() -> None:
        async with asyncio.timeout(None) as patience:
            for message in messages:
                await send_in_pieces(message, send, patience)  # type: ignore[arg-type]
            assert patience.when() is None, "there is no hurry once the client has it all"

    asyncio.run(run())
    return found


@pytest.mark.parametrize("size", [PIECE_BYTES + 1, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 1])
@pytest.mark.parametrize("more", [True, False])
def test_pieces_are_the_body(size: int, *, more: bool) -> None:
    found = sent_by({"type": "http.response.body", "body": LARGE[:size], "more_body": more})
    assert b"".join(message["body"] for message in found) == LARGE[:size]
    assert max(len(message["body"]) for message in found) == PIECE_BYTES
    assert [message["more_body"] for message in found] == [True] * (len(found) - 1) + [more]


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES])
def test_small_bodies_go_out_as_they_are(size: int) -> None:
    message = {"type": "http.response.body", "body": LARGE[:size], "more_body": False}
    assert sent_by(message) == [message]


def test_an_error_of_the_application_is_its_own() -> None:
    async def app(*_: Any) -> None:
        raise TimeoutError("of the application")

    async def run() -> None:
        authenticator = Authenticator(owner_token=lambda: TOKEN, whoami=lambda _: Account("nobody", ()))
        admission = Admission(authenticator, RateLimiter(0))
        layer = Front(app, admission=admission, cache=ResponseCache(1), metrics=Metrics())
        scope: Any = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
        await layer(scope, cast("Any", None), cast("Any", None))

    with pytest.raises(TimeoutError, match="of the application"):
        asyncio.run(run())
