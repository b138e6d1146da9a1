"""When a publish that failed is tried again at once, told by the type of its error; the next tick tries all others."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from datahub_assets.domain.errors import (
    HubBusy,
    HubConflict,
    HubContentGone,
    HubContentInvalid,
    HubNotFound,
    HubRateLimited,
    HubUnavailable,
)
from datahub_assets.stores.publish import carried
from datahub_assets.stores.publish.carried import CarriedMonths
from datahub_assets.stores.publish.work import Work

ATTEMPTS: Final = 5
UNAVAILABLE_ATTEMPTS: Final = 2
PROMPT_S: Final = 5.0
"""A Hub that took longer than this to fail is asked again by the next tick: that one fetches first, and this run would
keep it from that."""
FIRST_PAUSE_S: Final = 0.2


class Retries:
    """The attempts of one publish. Each is a `with` block; one that failed ends quietly where another is to follow.

    Attributes:
        remembered: whether the repo as remembered may be built on; not after an error that may come of that.
        most_months: how many months of history the commit may carry; None for as many as it takes.
    """

    def __init__(self, work: Work, sleep: Callable[[float], None]) -> None:
        self.remembered = True
        self.most_months: int | None = None
        self._work = work
        self._sleep = sleep
        self._attempt = 0
        self._began = time.monotonic()

    def __enter__(self) -> None:
        self._attempt += 1

    @contextmanager
    def without_gone(self, months: CarriedMonths) -> Iterator[None]:
        """Where content of a month of history is gone, that month is dropped, so that it is due again.

        The Hub does not say whose content it is. So months are tried one at a time then.
        """
        try:
            yield
        except HubContentGone:
            if self.most_months == 1:
                carried.discard(months)
            self.most_months = 1
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        match error:
            case HubBusy():  # another commit is being applied; the head has not moved
                return self._pause(error, most=ATTEMPTS)
            case HubConflict() | FileNotFoundError():
                # Somebody else committed: merge into that. Rewritten files are gone once another publish of this cache,
                # which should not run at the same time, has committed them.
                self.remembered = False
                return self._pause(error, most=ATTEMPTS)
            case HubUnavailable():  # the commit may have landed without our hearing of it
                self.remembered = False
                prompt = time.monotonic() - self._began <= PROMPT_S
                return self._pause(error, most=UNAVAILABLE_ATTEMPTS if prompt else 0)
            case HubContentInvalid() | HubNotFound():  # somebody may have mended what we remember
                again, self.remembered = self.remembered, False
                return again
            case HubRateLimited():
                self._work.cache.budget.refused(retry_after_s=error.retry_after_s, now_ms=self._work.now_ms)
        return isinstance(error, HubContentGone)  # the number of months that wait bounds how often

    def _pause(self, error: Exception, *, most: int) -> bool:
        """Wait a little longer each time; False after the last attempt, whose failure is the outcome."""
        if self._attempt >= most:
            return False
        self._work.log.warning("publishing %s, attempt %d of %d: %s", self._work.spec.name, self._attempt, most, error)
        self._sleep(FIRST_PAUSE_S * 2 ** (self._attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
        return True
