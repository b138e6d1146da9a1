"""Blocks of Bitcoin, of an explorer."""

from typing import Final

from datahub_assets.datasets.blocks.rows import number_of
from datahub_assets.datasets.followed_chains import BITCOIN
from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.sources.nodes.bitcoin import BitcoinNode

CONFIRMATIONS: Final = 6
"""A block counts as final once it and those on top of it are so many."""


class BitcoinBlocks:
    """The blocks an explorer tells, by pages of 15 (mempool.space) or 10 (Esplora), the newest first."""

    chain = BITCOIN

    def __init__(self, node: BitcoinNode) -> None:
        self.host = node.host
        self._node = node
        self._seen: dict[int, object] = {}

    async def newest_final(self, head: int) -> int:
        """The number of the newest block with enough on top of it."""
        return max(0, head + 1 - CONFIRMATIONS)

    async def block(self, number: int) -> object | None:
        """The block of that number; None where the explorer does not have it. Those of its page are remembered.

        Raises:
            SourceError: it cannot be asked.
        """
        if number not in self._seen:
            page = await self._page(number)
            self._seen |= {found: block for block in page if (found := number_of(BITCOIN, block)) is not None}
        return self._seen.get(number)

    async def _page(self, number: int) -> list[object]:
        page = await self._node.find(f"/v1/blocks/{number}")
        if page is None:
            page = await self._node.get(f"/blocks/{number}")
        if not isinstance(page, list):
            raise SourceMalformed(f"{self.host} answered no list of blocks but a {type(page).__name__}")
        return page
