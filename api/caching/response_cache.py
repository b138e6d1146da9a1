"""Finished answers in memory, bounded in bytes, least recently used first out."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class CachedResponse:
    """A finished answer: its body, and the headers that belong to it whoever asks, the strong ETag among them."""

    etag: bytes
    body: bytes
    headers: dict[str, str]
    media_type: str

    @cached_property
    def weight(self) -> int:
        """Bytes it takes, roughly: headers are kept as text and as bytes, and a link may be as long as the URL was."""
        return len(self.body) + 1024 + 2 * sum(map(len, self.headers.values()))

    @cached_property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """All headers of a 200 as ASGI wants them."""
        kind = f"{self.media_type}; charset=utf-8" if self.media_type.startswith("text/") else self.media_type
        named = {**self.headers, "Content-Type": kind, "Content-Length": str(len(self.body))}
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()]

    @cached_property
    def raw_headers_unchanged(self) -> list[tuple[bytes, bytes]]:
        """The headers of a 304 (RFC 9110, 15.4.5)."""
        return [(name, value) for name, value in self.raw_headers if name in {b"etag", b"vary", b"x-revision"}]


class ResponseCache:
    """Answers by ETag. An ETag names the commit, the query and the form, so what is here is never out of date."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._answers: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, etag: bytes) -> CachedResponse | None:
        """The answer of that ETag, if it is still here."""
        with self._lock:
            answer = self._answers.get(etag)
            if answer is not None:
                self._answers.move_to_end(etag)
            return answer

    def put(self, answer: CachedResponse) -> None:
        """Keep an answer, unless it would take more than a sixteenth of the room."""
        if answer.weight > self._budget // 16:
            return
        with self._lock:
            previous = self._answers.pop(answer.etag, None)
            self._weight += answer.weight - (previous.weight if previous else 0)
            self._answers[answer.etag] = answer
            while self._weight > self._budget:
                _, dropped = self._answers.popitem(last=False)
                self._weight -= dropped.weight

    @property
    def weight(self) -> int:
        """Bytes in use."""
        return self._weight
