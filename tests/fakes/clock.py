"""The time the fakes live in: the machine's, shifted, or standing still. No fake reads the clock elsewhere."""

import time


def _machine_ms() -> int:
    return time.time_ns() // 1_000_000


class Clock:
    """Milliseconds since the epoch. Given a time it stands still there until moved; given none it runs."""

    def __init__(self, at_ms: int | None = None) -> None:
        self._at_ms = at_ms
        self._shift_ms = 0

    def now_ms(self) -> int:
        """The time now."""
        return _machine_ms() + self._shift_ms if self._at_ms is None else self._at_ms

    def stop(self, at_ms: int | None = None) -> None:
        """Stand still: at the given time, or at this instant."""
        self._at_ms = self.now_ms() if at_ms is None else at_ms

    def run(self, from_ms: int | None = None) -> None:
        """Run on, from the given time or from the machine's."""
        self._at_ms = None
        self._shift_ms = 0 if from_ms is None else from_ms - _machine_ms()

    def advance(self, by_ms: int) -> None:
        """Move on by so many milliseconds, standing or running."""
        if self._at_ms is None:
            self._shift_ms += by_ms
        else:
            self._at_ms += by_ms
