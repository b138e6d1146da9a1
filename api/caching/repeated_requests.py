"""Which cached answer a request of the same URL and the same form gets again, found without routing it anew."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from api.caching.response_cache import CachedResponse, ResponseCache
from api.engine.dataset import Dataset
from api.http.negotiation import coding_accepted, format_accepted

_REMEMBERED: Final = 4096
_KEPT_BYTES: Final = 256
RequestKey = tuple[str, bytes, bytes, bytes]
"""Path, query string, Accept and Accept-Encoding: all of a request that an answer depends on."""
_NormalKey = tuple[str, bytes | str, str | None, str]
"""The same with what the two headers come to; a long query is named by its digest, which is text."""


@dataclass(frozen=True, slots=True)
class RepeatableAnswer:
    """An answer's ETag, and the commit it holds for while `dataset` serves it; for ever without a dataset."""

    etag: bytes
    dataset: Dataset | None
    sha: str

    @property
    def holds(self) -> bool:
        """Whether the request means the same commit still."""
        return self.dataset is None or self.dataset.serves(self.sha)


class RepeatedRequests:
    """The requests answered lately, and their answers as long as the cache keeps them."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self._known: OrderedDict[_NormalKey, tuple[RepeatableAnswer, str]] = OrderedDict()

    def find(self, key: RequestKey) -> tuple[RepeatableAnswer, str, CachedResponse] | None:
        """What is known of a request, its route's path, and the answer; None when it must go the long way."""
        normal = _normal(key)
        known = self._known.get(normal)
        if known is None:
            return None
        hot, path = known
        answer = self._cache.get(hot.etag) if hot.holds else None
        if answer is None:
            del self._known[normal]
            return None
        return hot, path, answer

    def remember(self, key: RequestKey, hot: RepeatableAnswer, *, path: str) -> None:
        """Say which answer a request got."""
        normal = _normal(key)
        self._known[normal] = (hot, path)
        self._known.move_to_end(normal)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _normal(key: RequestKey) -> _NormalKey:
    path, query, accept, accept_encoding = key
    short = query if len(query) <= _KEPT_BYTES else hashlib.blake2b(query).hexdigest()
    return path, short, format_accepted(accept), coding_accepted(accept_encoding)
