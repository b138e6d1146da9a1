"""Looking after the store of a running Hub: a thread that keeps histories short and frees what is unused."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from localhub.store import repos
from localhub.store.collect import DEFAULT_GRACE_S, Pause, at_once, forget_unreachable, free
from localhub.store.home import Home
from localhub.store.retention import cut_history, first_day

log = logging.getLogger(__name__)

_EVERY_S = 3600.0
_PAUSE_S = 0.05
"""Between two writing transactions; SQLite lets others who wait look for the lock about that often."""
_KEPT_SHORT = "dataset"
"""Histories of models and spaces are written by people, and stay."""


class _Stopping(Exception):
    """The server stops, so the work does too; it goes on after the next start."""


def tend(
    home: Home, *, keep_days: int, now: datetime, grace_s: float = DEFAULT_GRACE_S, pause: Pause = at_once
) -> None:
    """Drop the histories of all datasets before the last `keep_days` days, and what nothing refers to.

    What becomes unused now is freed the next time: whoever found a file is given until then to open it.
    """
    files, size = free(home.database, home.blobs, grace_s=grace_s, pause=pause)
    if files:
        log.info("removed %d files that nothing refers to, %d bytes", files, size)
    with home.database.read() as con:
        kept_short = repos.listing(con, _KEPT_SHORT)
    day = first_day(now, keep_days=keep_days)
    for repo in kept_short:
        cut = cut_history(home.database, repo, first_day=day)
        if cut is not None:
            tags = ", ".join(cut.tags) or "none"
            log.info("%s: dropped %d commits made before %s; tagged: %s", repo.full_name, cut.commits, day, tags)
        pause()
    forget_unreachable(home.database, pause=pause)
    home.database.shrink(pause=pause)


@contextmanager
def tended(home: Home, *, keep_days: int | None) -> Iterator[None]:
    """Call `tend` now and every hour in a thread of its own, as long as the context lasts; never for None."""
    if keep_days is None:
        yield
        return
    stopping = threading.Event()
    thread = threading.Thread(target=_tend_often, args=(home, keep_days, stopping), name="localhub-maintenance")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _tend_often(home: Home, keep_days: int, stopping: threading.Event) -> None:
    def pause() -> None:
        if stopping.wait(_PAUSE_S):
            raise _Stopping

    while not stopping.is_set():
        try:
            tend(home, keep_days=keep_days, now=datetime.now(UTC), pause=pause)
        except _Stopping:
            return
        except Exception:
            log.exception("maintenance failed; it is tried again in an hour")
        stopping.wait(_EVERY_S)
