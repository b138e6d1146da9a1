"""One fetch of what nodes tell of both networks."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from datahub_assets.datasets.followed_chains import BITCOIN, ETHEREUM, NodeSettings
from datahub_assets.datasets.items import check_items
from datahub_assets.datasets.network.rows import network_row
from datahub_assets.datasets.network.spec import BLOCKS_LOOKED_AT, NETWORK, PERCENTILES
from datahub_assets.domain.errors import SourceError
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_failed, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.belief import Node, ask_believed
from datahub_assets.sources.nodes.bitcoin import BitcoinNode
from datahub_assets.sources.nodes.chain_proofs import NOTE, ChainProofs
from datahub_assets.sources.nodes.ethereum import EthereumNode
from datahub_assets.sources.nodes.followed import FollowedNodes

Item = Mapping[str, object]
N = TypeVar("N", bound=Node)
_BITCOIN_PATHS: Final = {
    "fees": "/v1/fees/recommended",
    "mempool": "/mempool",
    "hashrate": "/v1/mining/hashrate/3d",
}


async def _of_ethereum(node: EthereumNode, head: int) -> Item:
    fees = await node.call("eth_feeHistory", hex(BLOCKS_LOOKED_AT), "latest", list(PERCENTILES))
    return {"chain": ETHEREUM, "host": node.host, "head": head, "fees": fees}


async def _of_bitcoin(node: BitcoinNode, head: int) -> Item:
    found = {what: await node.find(path) for what, path in _BITCOIN_PATHS.items()}
    return {"chain": BITCOIN, "host": node.host, "head": head, **found}


def fetch_network(
    settings: NodeSettings,
    *,
    clock: Callable[[], int],
    log: logging.Logger,
    noted: object = None,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask a node of each chain how it is; runs an event loop of its own.

    Args:
        clock: this machine's time, epoch milliseconds UTC.
        noted: the note `chain_proofs.NOTE` of the fetch before.
        backoff: attempts and pauses.

    Raises:
        SourceError: neither chain could be asked.
    """
    started = time.perf_counter()
    proofs = ChainProofs(noted, now_ms=clock())
    asking = _NetworksAsked(proofs)
    requests = asyncio.run(asking.all(settings, clock=clock, backoff=backoff))
    if not asking.items:
        raise next(iter(asking.failed.values()))
    checked = check_items(NETWORK, asking.items, network_row, named="chain", now_ms=clock())
    elapsed_s = time.perf_counter() - started
    log.info("fetched fees and load of %d networks in %.1f s", checked.frame.height, elapsed_s)
    report_rejected(checked.rejected, log=log)
    report_failed(asking.failed, log=log)
    return Fetched(checked, requests=requests, elapsed_s=elapsed_s, failed=asking.failed, notes={NOTE: proofs.noted()})


@dataclass(slots=True)
class _NetworksAsked:
    """Both networks being asked, and what came of it."""

    proofs: ChainProofs
    items: list[Item] = field(default_factory=list)
    failed: dict[tuple[str, ...], SourceError] = field(default_factory=dict)

    async def all(self, settings: NodeSettings, *, clock: Callable[[], int], backoff: Backoff | None) -> int:
        """Ask for both; returns how many requests it took."""
        async with Http() as http:
            nodes = FollowedNodes.of(settings, http, clock=clock, backoff=backoff)
            await self._chain(ETHEREUM, nodes.ethereum, _of_ethereum)
            await self._chain(BITCOIN, nodes.bitcoin, _of_bitcoin)
        return http.requests

    async def _chain(self, chain: str, nodes: Sequence[N], ask: Callable[[N, int], Awaitable[Item]]) -> None:
        try:
            answer = await ask_believed(nodes, ask, proofs=self.proofs)
        except SourceError as error:
            self.failed[(chain,)] = error
        else:
            self.items.append(answer.told)
            self.failed |= {(chain, host): error for host, error in answer.failed.items()}
