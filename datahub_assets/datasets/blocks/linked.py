"""How blocks hang together: each names the hash of the one before. Pure.

What a node tells is taken in only where it hangs together with itself; where it does not with what was stored, the
stored blocks were replaced, and those are asked for again, downwards, until the two meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from datahub_assets.datasets.blocks.rows import hashes_of


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that is stored: its hash, and whether it is final."""

    hash: str
    final: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The blocks of a chain that are stored, by number: those that are not final, and final ones before them."""

    blocks: Mapping[int, StoredBlock]

    @property
    def newest(self) -> int | None:
        """The largest number."""
        return max(self.blocks, default=None)

    @property
    def newest_final(self) -> int | None:
        """The largest number of a final block."""
        return max((number for number, block in self.blocks.items() if block.final), default=None)

    def missing(self) -> list[int]:
        """Numbers that are not stored, of those between the newest final block and the newest one."""
        if not self.blocks:
            return []
        first = min(self.blocks) if self.newest_final is None else self.newest_final
        return [number for number in range(first, max(self.blocks)) if number not in self.blocks]


def first_wanted(known: Known, *, head: int, final: int) -> int:
    """The number to begin with: a new chain begins at its newest final block, all others behind the newest stored one.

    The newest block is asked for again where no newer one is there: another may have taken its place.
    """
    newest = known.newest
    return min(final, head) if newest is None else min(newest + 1, head)


def whole_part(chain: str, blocks: Mapping[int, object]) -> dict[int, object]:
    """Of blocks with successive numbers those that hang together, from the first one on.

    The chain changed while it was read where one does not name the one before.
    """
    kept: dict[int, object] = {}
    for number in sorted(blocks):
        if kept and (
            number - 1 not in kept or hashes_of(chain, blocks[number])[1] != hashes_of(chain, kept[number - 1])[0]
        ):
            break
        kept[number] = blocks[number]
    return kept


def is_replaced(chain: str, known: Known, blocks: Mapping[int, object]) -> int | None:
    """The number of the stored block that the lowest of these does not name as the one before it; None if it does."""
    if not blocks:
        return None
    lowest = min(blocks)
    before = known.blocks.get(lowest - 1)
    return None if before is None or hashes_of(chain, blocks[lowest])[1] == before.hash else lowest - 1
