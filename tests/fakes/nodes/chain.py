"""The made blocks of one chain: numbers, times and hashes that hang together, and forks that take others' places."""

import hashlib
from dataclasses import dataclass

from tests.fakes.clock import Clock


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block: its number, its time (epoch seconds), its hash and the one before, and which fork it is of."""

    number: int
    time_s: int
    hash: str
    parent_hash: str
    fork: int


class MadeChain:
    """Blocks from `first` on, one every `every_s` seconds from `begin_s` on, as many as `head` says.

    Given a clock there are as many more as it has time for since then.
    """

    def __init__(
        self, *, first: int, head: int, begin_s: int, every_s: int, prefix: str = "", clock: Clock | None = None
    ) -> None:
        self.first = first
        self._grown = head
        self._begin_s, self._every_s, self._prefix, self._clock = begin_s, every_s, prefix, clock
        self._forks: list[tuple[int, int]] = []

    @property
    def head(self) -> int:
        """The number of the newest block."""
        if self._clock is None:
            return self._grown
        return self._grown + max(0, (self._clock.now_ms() // 1000 - self.block_time_s(self._grown)) // self._every_s)

    def block_time_s(self, number: int) -> int:
        """When a block is made, epoch seconds."""
        return self._begin_s + (number - self.first) * self._every_s

    def grow(self, blocks: int = 1) -> None:
        """So many blocks more."""
        self._grown += blocks

    def replace(self, blocks: int) -> None:
        """Other blocks take the places of the newest ones."""
        self._forks.append((self.head - blocks + 1, len(self._forks) + 1))

    def block(self, number: int) -> MadeBlock | None:
        """The block of that number; None where there is none."""
        if not self.first <= number <= self.head:
            return None
        return MadeBlock(
            number, self.block_time_s(number), self._hash(number), self._hash(number - 1), self._fork(number)
        )

    def _hash(self, number: int) -> str:
        history = [fork for begin, fork in self._forks if number >= begin]
        return self._prefix + hashlib.sha256(f"{self._prefix}{number}{history}".encode()).hexdigest()

    def _fork(self, number: int) -> int:
        return max((fork for begin, fork in self._forks if number >= begin), default=0)
