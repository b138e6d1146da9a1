"""A node of Ethereum, asked for blocks."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.datasets.blocks.rows import number_of
from datahub_assets.datasets.blocks.spec import ETHEREUM
from datahub_assets.domain.errors import SourceMalformed, SourceUnavailable
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.json_rpc import JsonRpc, quantity

_WITH_TRANSACTIONS: Final = False


class EthereumNode:
    """The node at a URL. Blocks come without their transactions, which makes them 14 to 23 KB."""

    chain = ETHEREUM
    behind = 3
    """So many blocks a node may lack: one is made every 12 seconds."""

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.host = urlsplit(url).hostname or url
        self._node = JsonRpc(http, url, clock=clock)
        self._backoff = backoff

    async def head(self) -> int:
        """The number of the newest block."""
        return quantity("eth_blockNumber", await self._call("eth_blockNumber"))

    async def newest_final(self, head: int) -> int:
        """The number of the newest block that is finalized."""
        del head
        block = await self._call("eth_getBlockByNumber", "finalized", _WITH_TRANSACTIONS)
        number = number_of(ETHEREUM, block)
        if number is None:
            raise SourceMalformed(f"{self.host} knows no finalized block")
        return number

    async def block(self, number: int) -> object:
        """The block of that number.

        Raises:
            SourceError: the node does not have it, or another under its number.
        """
        block = await self._call("eth_getBlockByNumber", hex(number), _WITH_TRANSACTIONS)
        if block is None:
            raise SourceUnavailable(f"{self.host} does not have block {number}")
        if number_of(ETHEREUM, block) != number:
            raise SourceMalformed(f"{self.host} answered another block than {number}")
        return block

    async def _call(self, method: str, *params: object) -> object:
        return await self._backoff.run(lambda: self._node.call(method, *params))
