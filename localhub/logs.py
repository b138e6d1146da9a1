"""A log nobody can fill: a message that comes again and again is written a few times a minute, and counted."""

import logging
import time

AT_ONCE = 5
WINDOW_S = 60.0
_MAX_KINDS = 500


class RepeatLimit(logging.Filter):
    """Lets through `at_once` records of a kind (logger, level, message before its arguments) in `window_s` seconds."""

    def __init__(self, *, at_once: int = AT_ONCE, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self._at_once = at_once
        self._window_s = window_s
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}  # kind -> since when, how many

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; one that follows left out ones says how many those were."""
        kind = (record.name, record.levelno, str(record.msg))
        now = time.monotonic()
        since, count = self._seen.get(kind, (now, 0))
        if now - since < self._window_s:
            self._seen[kind] = (since, count + 1)
            return count < self._at_once
        if len(self._seen) > _MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now, 1)
        if count > self._at_once:
            record.msg = f"{record.msg} [{count - self._at_once} more like this were left out]"
        return True


def limit_repeats() -> None:
    """Put the limit on every handler of the root logger."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatLimit())
