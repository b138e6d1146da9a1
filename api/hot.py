"""Which cached answer the very same request gets again, so that it can be found without reading the request anew.

Who may have it is not decided here.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from api.cache import Answer, AnswerCache
from api.engine.dataset import Dataset

_REMEMBERED: Final = 4096
RequestKey = tuple[str, bytes, bytes, bytes]
"""Path, query string, Accept and Accept-Encoding: all of a request that an answer depends on."""


@dataclass(frozen=True, slots=True)
class Hot:
    """An answer's ETag, and the commit it holds for while `dataset` serves it; for ever without a dataset."""

    etag: bytes
    dataset: Dataset | None
    sha: str

    @property
    def holds(self) -> bool:
        """Whether the request means the same commit still."""
        return self.dataset is None or self.dataset.serves(self.sha)


class HotAnswers:
    """The requests answered lately, and their answers as long as the cache keeps them."""

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache
        self._known: OrderedDict[RequestKey, tuple[Hot, str]] = OrderedDict()

    def find(self, key: RequestKey) -> tuple[Hot, str, Answer] | None:
        """What is known of a request, its route's path, and the answer; None when it must go the long way."""
        known = self._known.get(key)
        if known is None:
            return None
        hot, path = known
        answer = self._cache.get(hot.etag) if hot.holds else None
        if answer is None:
            del self._known[key]
            return None
        return hot, path, answer

    def remember(self, key: RequestKey, hot: Hot, *, path: str) -> None:
        """Say which answer a request got."""
        self._known[key] = (hot, path)
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
