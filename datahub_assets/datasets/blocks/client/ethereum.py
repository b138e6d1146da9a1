"""Blocks of Ethereum, of a node."""

from typing import Final

from datahub_assets.datasets.blocks.rows import number_of
from datahub_assets.datasets.followed_chains import ETHEREUM
from datahub_assets.domain.errors import SourceMalformed, SourceUnavailable
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

    async def block(self, number: int) -> object:
        """The block of that number.

        Raises:
            SourceError: the node does not have it, or another under its number.
        """
        block = await self._node.call("eth_getBlockByNumber", hex(number), _WITH_TRANSACTIONS)
        if block is None:
            raise SourceUnavailable(f"{self.host} does not have block {number}")
        if number_of(ETHEREUM, block) != number:
            raise SourceMalformed(f"{self.host} answered another block than {number}")
        return block
