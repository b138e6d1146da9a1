"""What upstreams tell of the time, against this machine's clock.

Rows are stamped and judged by this machine's clock: one that is wrong has good rows set aside, or lets bad ones in.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from datahub_assets.domain.times import MINUTE_MS, SECOND_MS, epoch_ms

WRONG_MS: Final = MINUTE_MS
"""Less than this is the way an answer took, or an upstream that is not exact itself."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A time an upstream told (epoch ms), and when that was heard (seconds of a clock that only runs on)."""

    time_ms: int
    heard_s: float


class Clocks:
    """The times that upstreams told this process, the last one of each."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[str, _Told] = {}

    def forget(self) -> None:
        """Know of no upstream."""
        self._told.clear()

    def heard(self, host: str, time_ms: int) -> None:
        """A host has told the time, epoch milliseconds."""
        self._told[host] = _Told(time_ms, self._monotonic())

    def heard_headers(self, host: str, headers: Mapping[str, str]) -> None:
        """A host has answered: `Date` says when, and `Age` how many seconds a cache has kept that (RFC 9111, 5.1)."""
        try:
            moment = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return
        age = headers.get("age", "").strip()
        if moment.tzinfo is not None:
            self.heard(host, epoch_ms(moment) + (int(age) * SECOND_MS if age.isdecimal() else 0))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Who has told the time."""
        return tuple(self._told)

    def ahead_ms(self, *, now_ms: int) -> dict[str, int]:
        """By host, how far this machine's clock, which says `now_ms`, is ahead of its; negative: behind."""
        now_s = self._monotonic()
        return {host: now_ms - told.time_ms - round(1000 * (now_s - told.heard_s)) for host, told in self._told.items()}

    def problem(self, *, now_ms: int) -> str | None:
        """What is wrong with this machine's clock, in words; None where an upstream agrees with it or none has told."""
        ahead = self.ahead_ms(now_ms=now_ms)
        if not ahead or any(abs(off_ms) < WRONG_MS for off_ms in ahead.values()):
            return None
        hosts = ", ".join(
            f"{abs(off_ms) / SECOND_MS:,.0f} s {'ahead of' if off_ms > 0 else 'behind'} {host}"
            for host, off_ms in ahead.items()
        )
        return f"this machine's clock is wrong, {hosts}: rows are stamped and judged by it, so {CLOCK_FIX}"


CLOCK_FIX: Final = "set it, and keep it right by NTP (`timedatectl set-ntp true`)"
CLOCKS: Final = Clocks()
"""The memory of this process."""
