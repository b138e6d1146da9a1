"""Blocks that are missing between stored ones, asked for again: of each node in turn, until one gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datahub_assets.datasets.blocks.client.chain_blocks import ChainBlocks
from datahub_assets.datasets.blocks.linked import Known
from datahub_assets.datasets.blocks.rows import hashes_of, told
from datahub_assets.domain.errors import SourceError, SourceMalformed


@dataclass(slots=True)
class FilledHoles:
    """What became of missing blocks of a chain.

    Attributes:
        items: those that came, as `block_row` takes them, by number.
        absent: those that some node does not have, and no other gave.
        failed: what could not be asked.
    """

    items: dict[int, Mapping[str, object]] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    failed: dict[tuple[str, ...], SourceError] = field(default_factory=dict)

    def came(self) -> dict[int, bool]:
        """Of those that were asked for, whether each came."""
        return {**dict.fromkeys(self.absent, False), **dict.fromkeys(self.items, True)}


async def fill(nodes: Sequence[ChainBlocks], numbers: Sequence[int], known: Known, *, final: int) -> FilledHoles:
    """Ask for blocks by their numbers.

    One that does not name the stored block before it is of another chain, and not taken.

    Args:
        nodes: those that are believed, in the order they are to be asked.
        known: what is stored.        final: up to this number all is final.
    """
    filled = FilledHoles()
    for node in nodes:
        left = [number for number in numbers if number not in filled.items]
        for number in left:
            try:
                block = await node.block(number)
                if block is not None:
                    _see_that_it_fits(node, number, block, known)
            except SourceError as error:
                filled.failed[node.chain, str(number), node.host] = error
                break  # the next node
            if block is None:
                filled.absent.add(number)
            else:
                filled.items[number] = told(node.chain, block, host=node.host, finalized=number <= final)
    filled.absent -= filled.items.keys()
    return filled


def _see_that_it_fits(node: ChainBlocks, number: int, block: object, known: Known) -> None:
    before = known.blocks.get(number - 1)
    if before is not None and hashes_of(node.chain, block)[1] != before.hash:
        raise SourceMalformed(f"{node.host} has a block {number} that does not follow the stored one, {before.hash}")
