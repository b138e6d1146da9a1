"""Finished answers in memory: by ETag, and by the words of the requests that got them."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, TypeVar

from api.engine.dataset import Dataset
from api.http.context import RequestContext
from api.http.form import coding_accepted, format_accepted

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_REMEMBERED: Final = 4096
_KEPT_BYTES: Final = 256
_UNITS: Final = {b"": "", b"MILLISECOND": "", b"MICROSECOND": "microseconds"}
RequestWords = tuple[str, bytes, bytes, bytes, bytes]
"""Path, query string, Accept, Accept-Encoding and Binance's unit: all of a request that an answer depends on."""
_NormalWords = tuple[str, bytes | str, str | None, str, str]
"""The same with what the headers come to; a long query is named by its digest, which is text."""


@dataclass(frozen=True)
class CachedAnswer:
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


@dataclass(frozen=True, slots=True)
class Repeatable:
    """An answer that the same words get again: as long as its commit is the newest one, or is served at all.

    Attributes:
        immutable: the words name the commit.        path: the route's, as metrics name it.
    """

    etag: bytes
    dataset: Dataset
    sha: str
    immutable: bool
    path: str


@dataclass(slots=True)
class _Used(Generic[V]):
    value: V
    weight: int
    used_s: float


class Recent(Generic[K, V]):
    """Values by key, bounded in weight: the ones not used for longest go first. For use from one thread at a time.

    Args:
        most: what all values may weigh together.        clock: seconds.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[K, _Used[V]] = OrderedDict()
        self.weight = 0
        """What all of them weigh."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, which is used by that; None when it is not here (any more)."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        entry.used_s = self._clock()
        return entry.value

    def put(self, key: K, value: V, *, weight: int) -> None:
        """Keep a value, and drop others until there is room for it."""
        previous = self._entries.pop(key, None)
        self.weight += weight - (0 if previous is None else previous.weight)
        self._entries[key] = _Used(value, weight, self._clock())
        while self.weight > self._most:
            self._drop_oldest()

    def forget_unused(self, *, for_s: float) -> None:
        """Drop values that were not used for so long."""
        now_s = self._clock()
        while self._entries and now_s - next(iter(self._entries.values())).used_s >= for_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.weight -= self._entries.popitem(last=False)[1].weight


class ResponseCache:
    """Answers by ETag, bounded in bytes, least recently used first out; and by the requests answered lately.

    An ETag names the commit, the query and the form, so what is here is never out of date.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._largest = budget_bytes // 16
        self._answers: Recent[bytes, CachedAnswer] = Recent(budget_bytes)
        self._lock = threading.Lock()
        self._known: OrderedDict[_NormalWords, Repeatable] = OrderedDict()

    def get(self, etag: bytes) -> CachedAnswer | None:
        """The answer of that ETag, if it is still here."""
        with self._lock:
            return self._answers.get(etag)

    def put(self, answer: CachedAnswer) -> None:
        """Keep an answer, unless it would take more than a sixteenth of the room."""
        if answer.weight > self._largest:
            return
        with self._lock:
            self._answers.put(answer.etag, answer, weight=answer.weight)

    def forget_unused(self, *, for_s: float) -> None:
        """Drop answers nobody got for so long: most are of a commit that was replaced meanwhile."""
        with self._lock:
            self._answers.forget_unused(for_s=for_s)

    def repeated(self, words: RequestWords) -> tuple[Repeatable, CachedAnswer] | None:
        """The answer a request of these words gets again; None when it must be worked out."""
        normal = _normal(words)
        known = self._known.get(normal)
        if known is None:
            return None
        holds = known.dataset.serves(known.sha, as_newest=not known.immutable)
        answer = self.get(known.etag) if holds else None
        if answer is None:
            del self._known[normal]
            return None
        return known, answer

    def remember(self, words: RequestWords, answer: Repeatable) -> None:
        """Say which answer these words got. For use from one thread, as `repeated`."""
        normal = _normal(words)
        self._known[normal] = answer
        self._known.move_to_end(normal)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def words_of(context: RequestContext) -> RequestWords:
    """The words of a request."""
    return context.path, context.query, context.accept, context.accept_encoding, context.time_unit


def _normal(words: RequestWords) -> _NormalWords:
    path, query, accept, accept_encoding, time_unit = words
    short = query if len(query) <= _KEPT_BYTES else hashlib.blake2b(query).hexdigest()
    return (
        path,
        short,
        format_accepted(accept),
        coding_accepted(accept_encoding),
        _UNITS.get(time_unit.upper(), "another"),
    )
