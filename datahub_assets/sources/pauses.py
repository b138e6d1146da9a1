"""The pauses upstreams asked this process for, so that no later fetch breaks one."""

from typing import Final

from datahub_assets.domain.errors import SourceRateLimited
from datahub_assets.domain.times import DAY_MS, readable

_LONGEST_MS: Final = 3 * DAY_MS  # Binance's longest ban; a garbled time must not silence us for years


class Pauses:
    """Until when (epoch ms) each upstream, named by its URLs, is not to be asked."""

    def __init__(self) -> None:
        self._until_ms: dict[str, int] = {}

    def note(self, upstream: str, *, until_ms: int, now_ms: int) -> None:
        """Remember a pause; the later end of two counts."""
        until_ms = min(until_ms, now_ms + _LONGEST_MS)
        self._until_ms[upstream] = max(until_ms, self.until_ms(upstream, now_ms=now_ms) or 0)

    def until_ms(self, upstream: str, *, now_ms: int) -> int | None:
        """When the pause ends; None when there is none."""
        until_ms = self._until_ms.get(upstream, 0)
        return until_ms if until_ms > now_ms else None

    def check(self, upstream: str, *, not_before_ms: int, now_ms: int) -> None:
        """Pass, unless it is too early to ask again.

        Raises:
            SourceRateLimited: with the seconds left.
        """
        until_ms = max(self.until_ms(upstream, now_ms=now_ms) or 0, min(not_before_ms, now_ms + _LONGEST_MS))
        if until_ms > now_ms:
            raise paused(upstream, until_ms=until_ms, now_ms=now_ms)


def paused(upstream: str, *, until_ms: int, now_ms: int) -> SourceRateLimited:
    """The error for a request that is not made, since the upstream wants none before a time."""
    message = f"{upstream} asked for a pause until {readable(until_ms)}; it is not asked before"
    return SourceRateLimited(message, retry_after_s=(until_ms - now_ms) / 1000)


PAUSES: Final = Pauses()
"""The memory of this process."""
