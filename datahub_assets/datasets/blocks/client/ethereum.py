"""Blocks of Ethereum, of a node."""

from typing import Final

from datahub_assets.datasets.blocks.rows import number_of
from datahub_assets.datasets.followed_chains import ETHEREUM
from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.sources.nodes.ethereum import EthereumNode

_WITH_TRANSACTIONS: Final = False


class EthereumBlocks:
    """The blocks a node tells, without their transactions, which makes them 14 to 23 KB."""

    chain = ETHEREUM

    def __init__(self, node: EthereumNode) -> None:
        self.host = node.host
        self._node = node

    async def newest_final(self, head: int) -> int:
        """The number of the newest block that is finalized."""
        del head
        block = await self._node.call("eth_getBlockByNumber", "finalized", _WITH_TRANSACTIONS)
        number = number_of(ETHEREUM, block)
        if number is None:
            raise SourceMalformed(f"{self.host} knows no finalized block")
        return number

    async def block(self, number: int) -> object | None:
        """The block of that number; None where the node does not have it.

        Raises:
            SourceError: it cannot be asked, or has another under that number.
        """
        block = await self._node.call("eth_getBlockByNumber", hex(number), _WITH_TRANSACTIONS)
        if block is not None and number_of(ETHEREUM, block) != number:
            raise SourceMalformed(f"{self.host} answered another block than {number}")
        return block
