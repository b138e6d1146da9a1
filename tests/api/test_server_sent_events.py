"""An event stream ends when it should: with its events, its client, or its error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from api.http import delivery
from api.http.delivery import send_in_pieces
from api.stream.server_sent_events import EventStream

WAIT_S = 20.0


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def stays() -> Any:
    """What a client that stays sends."""
    await asyncio.Event().wait()


def test_a_client_that_takes_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever delivers: then the events end too."""
    monkeypatch.setattr(delivery, "PATIENCE_S", 0.05)
    sent: list[Any] = []
    events = chunks(b"1", b"2", b"3")

    async def send(message: Any) -> None:
        if len(sent) == 2:
            await asyncio.Event().wait()  # its buffers are full, for ever
        sent.append(message)

    async def run() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S), asyncio.timeout(None) as patience:

                async def sending(message: Any) -> None:
                    is_body = message["type"] == "http.response.body"
                    await (send_in_pieces(message, send, patience) if is_body else send(message))

                await EventStream(events)({}, stays, sending)  # type: ignore[arg-type]
        assert patience.expired()
        assert await anext(events, None) is None, "nobody asks for more"

    asyncio.run(run())
    assert [message.get("body") for message in sent] == [None, b"1"]


def test_an_error_while_sending_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"1"
        raise LookupError("what went wrong")

    async def run() -> None:
        async def send(_: Any) -> None:
            pass

        await EventStream(broken())({}, stays, send)  # type: ignore[arg-type]

    with pytest.raises(LookupError):
        asyncio.run(run())


def test_a_client_that_leaves_ends_its_stream() -> None:
    left = False

    async def waiting() -> AsyncIterator[bytes]:
        nonlocal left
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            left = True

    async def run() -> None:
        async def send(_: Any) -> None:
            pass

        messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            await asyncio.sleep(0)
            return next(messages)

        await asyncio.wait_for(EventStream(waiting())({}, receive, send), WAIT_S)  # type: ignore[arg-type]

    asyncio.run(run())
    assert left


@pytest.mark.parametrize("turns", range(6))
def test_a_client_that_leaves_while_it_is_sent_to_ends_its_stream(turns: int) -> None:
    """However many turns of the event loop lie between the two."""
    gone = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body"):
            gone.set()
            for _ in range(turns):
                await asyncio.sleep(0)

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        await asyncio.wait_for(EventStream(waiting())({}, receive, send), 2)  # type: ignore[arg-type]

    asyncio.run(run())
