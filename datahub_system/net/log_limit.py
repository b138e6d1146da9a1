"""A log nobody can fill: a message that comes again and again is written a few times a minute, and counted."""

import logging
import time
from threading import Lock
from typing import Final

AT_ONCE: Final = 5
WINDOW_S: Final = 60.0
_MAX_KINDS: Final = 500

_Kind = tuple[str, int, str, type[BaseException] | None]


class RepeatLimit(logging.Filter):
    """Lets through `at_once` records of a kind in `window_s` seconds.

    A kind is the logger, the level, the message before its arguments, and the type of the exception.
    """

    def __init__(self, *, at_once: int = AT_ONCE, window_s: float = WINDOW_S, most_kinds: int = _MAX_KINDS) -> None:
        super().__init__()
        self._at_once = at_once
        self._window_s = window_s
        self._most_kinds = most_kinds
        self._lock = Lock()
        self._seen: dict[_Kind, tuple[float, int]] = {}  # since when, how many; the kind that began first comes first

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; one that follows left out ones says how many those were."""
        error = record.exc_info[0] if record.exc_info else None
        with self._lock:
            count, before = self._counted((record.name, record.levelno, str(record.msg), error))
        if before > self._at_once:
            record.msg = f"{record.msg} [{before - self._at_once} more like this were left out]"
        return count <= self._at_once

    def _counted(self, kind: _Kind) -> tuple[int, int]:
        """How many of a kind this window has seen, this one included, and how many the one before that just ended."""
        now = time.monotonic()
        since, count = self._seen.get(kind, (now, 0))
        if count and now - since < self._window_s:
            self._seen[kind] = (since, count + 1)
            return count + 1, 0
        self._seen.pop(kind, None)
        if len(self._seen) >= self._most_kinds:
            del self._seen[next(iter(self._seen))]
        self._seen[kind] = (now, 1)
        return 1, count


def limit_repeats() -> None:
    """Put the limit on every handler of the root logger."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatLimit())
