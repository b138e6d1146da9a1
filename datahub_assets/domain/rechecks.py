"""Whose turn it is to be asked for again: series whose rows upstream may have corrected meanwhile.

When each was asked last is remembered, so a turn that nobody took comes with the next tick that there is. Turns are
spread over time by how many may have theirs at once, whatever the number of series, and whether they have waited for
a minute or for a night.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from datahub_assets.domain.times import MINUTE_MS

_MOST_ELAPSED_MS: Final = 10 * MINUTE_MS
"""After a longer silence as many are asked at once as after this one: the others have to wait for the next ticks."""

Named = tuple[str, ...]
"""The name of a series."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """When a series was last asked for again, and when it last answered (None: never); epoch ms."""

    tried_at: int
    done_at: int | None = None


def due(
    series: Iterable[Named], known: Mapping[Named, Recheck], *, every_ms: int, tick_ms: int, now_ms: int
) -> list[Named]:
    """The series whose turn it is now, those first that have waited longest since they were asked.

    One is due `every_ms` after it last answered. One that does not answer stays due, behind all that were not asked
    since; so a series that never will keeps no other from its turn.

    Args:
        series: all there are.      known: those that were asked before.
        every_ms: how often each is asked.      tick_ms: time between two such calls, if none is missed.
    """
    every = list(series)
    waiting = [one for one in every if _is_due(known.get(one), every_ms=every_ms, now_ms=now_ms)]
    waiting.sort(key=lambda one: known[one].tried_at if one in known else 0)
    last_ms = max((told.tried_at for told in known.values()), default=now_ms)
    elapsed_ms = max(tick_ms, min(now_ms - last_ms, _MOST_ELAPSED_MS))
    return waiting[: -(-len(every) * elapsed_ms // every_ms)]


def _is_due(told: Recheck | None, *, every_ms: int, now_ms: int) -> bool:
    return told is None or told.done_at is None or not 0 <= now_ms - told.done_at < every_ms
