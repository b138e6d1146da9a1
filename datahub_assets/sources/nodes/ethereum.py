"""A node of Ethereum, called by JSON-RPC (ethereum.org/developers/docs/apis/json-rpc)."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.json_rpc import JsonRpc, quantity

MAINNET: Final = "1"
"""What `eth_chainId` answers, as a decimal (EIP-155; others are testnets and other chains, see chainlist.org)."""


class EthereumNode:
    """The node at a URL. Calls are made again after a pause where that may help."""

    mainnet = MAINNET
    behind = 3
    """So many blocks a node may lack that another knows: one is made every 12 seconds."""

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.url = url
        self.host = urlsplit(url).netloc or url
        self._node = JsonRpc(http, url, clock=clock)
        self._backoff = backoff

    async def call(self, method: str, *params: object) -> object:
        """The result of a call; None where the node has none.

        Raises:
            SourceError: it cannot be had.
        """
        return await self._backoff.run(lambda: self._node.call(method, *params))

    async def chain(self) -> str:
        """The number of its chain. Raises SourceError."""
        return str(quantity("eth_chainId", await self.call("eth_chainId")))

    async def head(self) -> int:
        """The number of the newest block it knows. Raises SourceError."""
        return quantity("eth_blockNumber", await self.call("eth_blockNumber"))
