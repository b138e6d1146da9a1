"""Answers to requests whose URL holds a secret: for the caller's own cache only, and the URL is told to nobody."""

from typing import Final

from litestar.types import Message, Send

_CACHING, _REFERRER = b"cache-control", b"referrer-policy"
_TELL_NOBODY: Final = (_REFERRER, b"no-referrer")


class PrivateSend:
    """A `send` that gives an answer these headers."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            message["headers"] = _private(list(message["headers"]))
        await self._send(message)


def _private(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    said = b", ".join(value for name, value in headers if name.lower() == _CACHING)
    if b"private" not in said:
        said = b"private, no-store" if b"no-store" in said else b"private, no-cache"
    kept = [one for one in headers if one[0].lower() not in {_CACHING, _REFERRER}]
    return [*kept, (_CACHING, said), _TELL_NOBODY]
