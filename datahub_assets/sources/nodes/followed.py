"""The nodes of all chains that are followed, as the settings name them."""

from collections.abc import Callable
from dataclasses import dataclass

from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.bitcoin import BitcoinNode
from datahub_assets.sources.nodes.ethereum import EthereumNode

BACKOFF = Backoff(attempts=2)
"""Each node is asked twice; then comes the next one."""


@dataclass(frozen=True, slots=True)
class FollowedNodes:
    """The nodes of each chain, in the order they are to be asked."""

    ethereum: list[EthereumNode]
    bitcoin: list[BitcoinNode]

    @classmethod
    def of(
        cls, settings: NodeSettings, http: Http, *, clock: Callable[[], int], backoff: Backoff | None = None
    ) -> "FollowedNodes":
        """Those of the settings, asked through this client."""
        pause = backoff or BACKOFF
        return cls(
            [EthereumNode(http, url, clock=clock, backoff=pause) for url in settings.ethereum_rpc_urls],
            [BitcoinNode(http, url, clock=clock, backoff=pause) for url in settings.bitcoin_api_urls],
        )
