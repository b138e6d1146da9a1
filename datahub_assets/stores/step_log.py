"""The log of one step of a run, in which what holds for many runs is told once and not by each of them.

A warning is told when it begins, once a day while it lasts, and a line says when it is over. The runs in between tell
it as a debug line: it is in the logs, and not on the terminal. Each run is a process of its own, so the worker status
remembers what holds; there `datahub status` and `datahub doctor` find it.
"""

import logging
import re
from collections.abc import Callable
from typing import Final

import msgspec

from datahub_assets.domain.times import DAY_MS, epoch_ms, readable, utc_datetime
from datahub_assets.domain.worker_status import Notice
from datahub_assets.stores.worker_status import WorkerStatusFile

AGAIN_MS: Final = DAY_MS
_MOST: Final = 50
"""So many notices of a step are remembered; a step that gives more of them tells the others each time."""
_VARYING: Final = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b|\d+")
"""Numbers and ids differ from run to run in what is the same otherwise."""
_TEXT_LENGTH: Final = 500


class StepLog(logging.Handler):
    """Takes the lines of one step and hands them on to the log of its run.

    Args:
        file: remembers what holds.        chain, step: whose lines these are.
        log: the log of the run.        clock: gives epoch ms.
    """

    def __init__(
        self, file: WorkerStatusFile, *, chain: str, step: str, log: logging.Logger, clock: Callable[[], int]
    ) -> None:
        super().__init__()
        self._file, self._chain, self._step, self._target, self._clock = file, chain, step, log, clock
        notices = file.chain(chain).notices
        self._known = {_key(one.text): one for one in notices if one.step == step}
        self._seen: dict[str, Notice] = {}
        self.logger = logging.Logger(f"{chain} {step}")  # noqa: LOG001 - it ends with the step
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line on, as a debug line if it was told before.

        Its `subject` is what it is about, if it has one. What `stands` does not pass by itself, so it holds from the
        first run on.
        """
        text = record.getMessage()
        subject, stands = str(getattr(record, "subject", text)), bool(getattr(record, "stands", False))
        is_new = record.levelno < logging.WARNING or self._is_new(subject, record.levelno, stands=stands)
        self._target.log(record.levelno if is_new else logging.DEBUG, "%s", text)

    def close_step(self, *, complete: bool) -> None:
        """The step has ended; of one that is `complete`, what it has not told again is over."""
        over = self._known.keys() - self._seen.keys() if complete else set()
        for key in sorted(over):
            notice = self._known[key]
            if notice.held:  # what one run told is no news when the next one does not
                self._target.info("over, since %s it was so: %s", readable(epoch_ms(notice.since)), notice.text)
        holding = {key: one for key, one in {**self._known, **self._seen}.items() if key not in over}
        if holding != self._known:
            self._file.noticed(self._chain, self._step, tuple(holding.values())[:_MOST], now_ms=self._clock())
        self.close()

    def _is_new(self, subject: str, level: int, *, stands: bool) -> bool:
        now_ms, key = self._clock(), _key(subject)
        before = self._seen.get(key) or self._known.get(key)
        if before is None:
            now = utc_datetime(now_ms)
            text = subject[:_TEXT_LENGTH]
            self._seen[key] = Notice(self._step, text, level, since=now, told_at=now, held=stands)
            return True
        told_ms = epoch_ms(before.told_at)
        is_new = level > before.level or not 0 <= now_ms - told_ms < AGAIN_MS
        self._seen[key] = msgspec.structs.replace(
            before,
            text=subject[:_TEXT_LENGTH] if is_new or stands else before.text,
            level=max(level, before.level),
            told_at=utc_datetime(now_ms) if is_new else before.told_at,
            held=before.held or stands or key in self._known,
        )
        return is_new


def _key(text: str) -> str:
    """What is the same in a warning whichever run gives it."""
    return _VARYING.sub("#", text[:_TEXT_LENGTH])
