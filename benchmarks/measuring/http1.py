"""Where one HTTP/1.1 answer ends, found with as little work as possible; sockets and clocks live in `load`."""

from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_BODILESS: Final = frozenset({204, 304})


class AnswerEnd:
    """Eats the bytes of one answer and says when it is complete; bodies with a length are counted, not looked at.

    Attributes:
        status: the answer's status, 0 until its head is complete.
    """

    __slots__ = ("_chunked", "_head", "_left", "_tail", "status")

    def __init__(self) -> None:
        self.status = 0
        self._head = b""
        self._left = 0
        self._chunked = False
        self._tail = b""

    def feed(self, data: memoryview) -> bool:
        """Take the next bytes; True when the answer is complete.

        Raises:
            ValueError: the bytes are no HTTP/1.1 answer with a length or chunks, or go on after its end.
        """
        if self.status == 0:
            return self._feed_head(data)
        return self._feed_chunks(bytes(data)) if self._chunked else self._count(len(data))

    def _feed_head(self, data: memoryview) -> bool:
        head = self._head + bytes(data)
        end = head.find(_HEAD_END)
        if end < 0:
            self._head = head
            return False
        lines = head[:end].lower().split(b"\r\n")
        self.status = int(lines[0].split(b" ", 2)[1])
        fields = dict(line.split(b":", 1) for line in lines[1:])
        rest = head[end + len(_HEAD_END) :]
        if self.status in _BODILESS:
            return self._count(len(rest))
        if b"content-length" in fields:
            self._left = int(fields[b"content-length"])
            return self._count(len(rest))
        if b"chunked" not in fields.get(b"transfer-encoding", b""):
            raise ValueError(f"answer {self.status} has neither a length nor chunks")
        self._chunked = True
        return self._feed_chunks(rest)

    def _count(self, size: int) -> bool:
        self._left -= size
        if self._left < 0:
            raise ValueError("bytes after the end of the answer")
        return self._left == 0

    def _feed_chunks(self, data: bytes) -> bool:
        """`_left` counts down the current chunk with its line end; `_tail` is a size line that is not complete yet."""
        data = self._tail + data
        self._tail = b""
        position = 0
        while position < len(data):
            step = min(self._left, len(data) - position)
            position += step
            self._left -= step
            if self._left or position == len(data):
                return False
            line_end = data.find(b"\r\n", position)
            if line_end < 0 or (data[position:line_end] == b"0" and len(data) < line_end + 4):
                self._tail = data[position:]
                return False
            size = int(data[position:line_end].split(b";", 1)[0], 16)
            if size == 0:
                return True
            position = line_end + 2
            self._left = size + 2
        return False
