"""Binance's request weight: how much of the minute is used, and when to wait.

6,000 a minute per IP; every answer tells what is used in `X-MBX-USED-WEIGHT-1M` (rest-api.md, "IP Limits"). Minutes are
the exchange's, so its clock counts, not ours. It counts all processes behind one address together: so what can wait
leaves live fetches their weight of each minute.
"""

from collections.abc import Callable, Mapping
from typing import Final

from datahub_assets.domain.times import MINUTE_MS
from datahub_assets.sources.backoff import Sleep
from datahub_assets.sources.pauses import paused

DEFAULT_LIMIT: Final = 6000
_SHARE: Final = 0.9
"""How much of the limit is ours to use: other programs behind the same address need some too."""
_SHARE_ALONE: Final = 0.95
"""The same where nothing else of ours asks."""
_LEAST_SHARE: Final = 0.05
"""What can wait gets this much of the limit, however much is left to others."""
_YIELDED_S: Final = 2.0
"""So much later into a minute begins what can wait, so that live fetches that wait for it too come first."""
_INTO_MINUTE_MS: Final = 500
_USED_HEADER: Final = "x-mbx-used-weight-1m"


class WeightBudget:
    """Lets requests pass while there is weight left this minute; the others wait here for the next one.

    Args:
        upstream: what to call it in messages.
        clock: this machine's time, epoch milliseconds.
        sleep: how to wait.
        longest_wait_s: a pause asked for by the exchange that is longer ends the fetch instead of being waited.
        left_to_live: for what can wait: the weight of each minute that it leaves to live fetches, 0 where there are
            none; None for those themselves.
    """

    def __init__(
        self,
        upstream: str,
        *,
        clock: Callable[[], int],
        sleep: Sleep,
        longest_wait_s: float,
        left_to_live: int | None = None,
    ) -> None:
        self._upstream = upstream
        self._clock = clock
        self._sleep = sleep
        self._longest_wait_ms = longest_wait_s * 1000
        self._ahead_ms = 0
        self._minute = 0
        self._used = 0
        self._in_flight = 0
        self._paused_until_ms = 0
        self._left_to_live = left_to_live
        self.limit = DEFAULT_LIMIT

    @property
    def used(self) -> int:
        """Weight used this minute as far as the exchange has told."""
        return self._used if self._minute == self._this_minute() else 0

    @property
    def _most(self) -> float:
        """How much of a minute all together may have used for us to go on."""
        if self._left_to_live == 0:
            return self.limit * _SHARE_ALONE
        return max(self.limit * _SHARE - (self._left_to_live or 0), self.limit * _LEAST_SHARE)

    def set_exchange_clock(self, exchange_ms: int) -> None:
        """Learn how far the exchange's clock is ahead of ours."""
        self._ahead_ms = exchange_ms - self._clock()

    def pause(self, *, until_ms: int) -> None:
        """Let nothing pass before this time of our clock."""
        self._paused_until_ms = max(self._paused_until_ms, until_ms)

    def rest_of_minute_s(self) -> float:
        """Seconds until the exchange forgets what was used."""
        into_ms = (self._clock() + self._ahead_ms) % MINUTE_MS
        return (MINUTE_MS - into_ms + _INTO_MINUTE_MS) / 1000

    async def admit(self, weight: int) -> int:
        """Wait until a request of this weight may be made; gives the minute it was made in, to `settle` with.

        Raises:
            SourceRateLimited: the exchange wants a longer pause than a fetch should wait.
        """
        while True:
            now_ms = self._clock()
            if self._paused_until_ms > now_ms:
                if self._paused_until_ms - now_ms > self._longest_wait_ms:
                    raise paused(self._upstream, until_ms=self._paused_until_ms, now_ms=now_ms)
                await self._sleep((self._paused_until_ms - now_ms) / 1000)
            elif self.used + self._in_flight + weight > self._most and self.used + self._in_flight > 0:
                await self._sleep(self.rest_of_minute_s() + (0 if self._left_to_live is None else _YIELDED_S))
            else:
                self._in_flight += weight
                return self._this_minute()

    def settle(self, minute: int, *, weight: int, headers: Mapping[str, str]) -> None:
        """Count an admitted request as done; `headers` of its answer, none if there was no answer."""
        self._in_flight -= weight
        told = headers.get(_USED_HEADER, "")
        if minute != self._this_minute() or not told.isdecimal():
            return
        self._used = max(self.used, int(told))
        self._minute = minute

    def _this_minute(self) -> int:
        return (self._clock() + self._ahead_ms) // MINUTE_MS
