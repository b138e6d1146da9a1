"""What `datahub doctor` asks of the nodes of both chains, of which other datasets of these chains live as well."""

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar

from datahub_assets.datasets.followed_chains import BITCOIN, ETHEREUM, NodeSettings
from datahub_assets.domain.errors import SourceError, SourceUnavailable
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.belief import Believed, Node, believed
from datahub_assets.sources.nodes.chain_proofs import ChainProofs
from datahub_assets.sources.nodes.followed import FollowedNodes
from datahub_system.clock import now_ms

N = TypeVar("N", bound=Node)
FIX: Final = "check network and proxy; DATAHUB_ETHEREUM_RPC_URLS and DATAHUB_BITCOIN_API_URLS name other nodes"


def look(settings: NodeSettings) -> str:
    """Which node of each chain is believed, at which block, and why others are not.

    Raises:
        SourceUnavailable: of one chain no node is believed.
    """
    found = asyncio.run(_heads(settings))
    told = "; ".join(_told(chain, heads) for chain, heads in found.items())
    if all(any(isinstance(head, int) for head in heads.values()) for heads in found.values()):
        return told
    raise SourceUnavailable(told)


async def _heads(settings: NodeSettings) -> dict[str, Mapping[str, int | SourceError]]:
    async with Http() as http:
        nodes = FollowedNodes.of(settings, http, clock=now_ms, backoff=Backoff(attempts=1))
        proofs = ChainProofs(now_ms=now_ms())
        return {
            ETHEREUM: _by_host(await believed(nodes.ethereum, proofs=proofs)),
            BITCOIN: _by_host(await believed(nodes.bitcoin, proofs=proofs)),
        }


def _by_host(nodes: Believed[N]) -> Mapping[str, int | SourceError]:
    return {**{node.host: head for node, head in nodes.heads}, **nodes.refused}


def _told(chain: str, heads: Mapping[str, int | SourceError]) -> str:
    told = [f"{host} is at block {head:,}" for host, head in heads.items() if isinstance(head, int)]
    refused = [str(error) for error in heads.values() if isinstance(error, SourceError)]
    return f"{chain}: {', '.join([*told, *refused])}"
