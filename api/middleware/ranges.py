"""Parts of binary answers, for readers that take a file's end first: `Range` and `If-Range` (RFC 9110, 13.1.5 and 14).

Only answers that say `Accept-Ranges` have parts: whole bodies with a strong ETag, in no content coding. Several ranges
at once are answered with the whole, as anybody may.
"""

import re
from dataclasses import dataclass
from typing import Final

from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Message, Send

ACCEPTED: Final = ("Accept-Ranges", "bytes")
"""The header of an answer that has parts."""
_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*")
_OF_THE_BODY: Final = frozenset({b"cache-control", b"etag", b"content-disposition"})
"""What is said of a body, and not of there being no such part."""
_NAMED: Final = (ACCEPTED[0].lower().encode(), ACCEPTED[1].encode())


@dataclass(frozen=True, slots=True)
class _ByteRange:
    """The bytes from `first` up to `end`, of a body of `size`; none where there are no such bytes."""

    first: int
    end: int
    size: int

    @property
    def is_there(self) -> bool:
        return self.first < self.end

    def begin(self, message: HTTPResponseStartEvent) -> HTTPResponseStartEvent:
        """The beginning of the answer that has only this part."""
        told = b"bytes %d-%d/%d" % (self.first, self.end - 1, self.size) if self.is_there else b"bytes */%d" % self.size
        dropped = {b"content-length"} if self.is_there else {b"content-length", *_OF_THE_BODY}
        headers = [one for one in message["headers"] if one[0] not in dropped]
        headers += [] if self.is_there else [(b"cache-control", b"no-store")]
        headers += [(b"content-range", told), (b"content-length", b"%d" % max(self.end - self.first, 0))]
        status = _PARTIAL if self.is_there else _NOT_SATISFIABLE
        return {"type": "http.response.start", "status": status, "headers": headers}


class PartSend:
    """A `send` that passes on only the part of an answer that was asked for, where the answer has parts.

    Args:
        send: where messages of the answer go.        asked: the header `Range`.        condition: `If-Range`, if given.
    """

    def __init__(self, send: Send, *, asked: bytes, condition: bytes | None) -> None:
        self._send = send
        self._asked = asked
        self._condition = condition
        self._part: _ByteRange | None = None
        self._at = 0

    async def __call__(self, message: Message) -> None:
        """Pass a message on, cut to the part."""
        if message["type"] == "http.response.start":
            self._part = self._part_of(message)
            message = message if self._part is None else self._part.begin(message)
        elif message["type"] == "http.response.body" and self._part is not None:
            message = self._cut(message, self._part)
        await self._send(message)

    def _part_of(self, message: HTTPResponseStartEvent) -> _ByteRange | None:
        headers = dict(message["headers"])
        found = _RANGE.fullmatch(self._asked)
        if message["status"] != _OK or headers.get(_NAMED[0]) != _NAMED[1] or b"content-length" not in headers:
            return None
        if self._condition not in {None, headers.get(b"etag")} or found is None or not found[0].strip(b"bytes= \t-"):
            return None
        size = int(headers[b"content-length"])
        first, last = found.groups()
        if not first:  # `-500`: the last 500
            return _ByteRange(max(size - int(last), 0), size, size)
        return _ByteRange(int(first), min(int(last) + 1, size) if last else size, size)

    def _cut(self, message: HTTPResponseBodyEvent, part: _ByteRange) -> HTTPResponseBodyEvent:
        body = message.get("body", b"")
        first, end = max(part.first - self._at, 0), max(part.end - self._at, 0)
        self._at += len(body)
        return {"type": "http.response.body", "body": body[first:end], "more_body": message.get("more_body", False)}
