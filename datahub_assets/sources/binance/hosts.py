"""Which of Binance's hosts to ask: the first one that works, remembered for the life of the process."""

from collections.abc import Sequence
from typing import Final

_PREFERRED: Final[dict[tuple[str, ...], str]] = {}
"""By the hosts of a setting, the one that worked last."""


class Hosts:
    """Base URLs in the order they are worth trying."""

    def __init__(self, base_urls: Sequence[str]) -> None:
        self._all = tuple(base_urls)

    @property
    def name(self) -> str:
        """All hosts as one text."""
        return ", ".join(self._all)

    def in_order(self) -> tuple[str, ...]:
        """The one that worked last, then those after it in the setting, then those before."""
        preferred = _PREFERRED.get(self._all, self._all[0])
        start = self._all.index(preferred)
        return self._all[start:] + self._all[:start]

    def worked(self, base_url: str) -> bool:
        """Remember this one; whether that is a change."""
        changed = self.in_order()[0] != base_url
        _PREFERRED[self._all] = base_url
        return changed
