"""Which of several nodes is believed: the first that is of the right chain, not behind the others, and answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from datahub_assets.domain.errors import SourceError, SourceUnavailable
from datahub_assets.sources.nodes.chain_proofs import ChainProofs, OfAChain


class Node(OfAChain, Protocol):
    """A node of a chain.

    Attributes:
        host: its name in messages and rows.        behind: so many blocks it may lack that another knows.
    """

    behind: int

    async def head(self) -> int:
        """The number of the newest block it knows; raises SourceError."""
        ...


N = TypeVar("N", bound=Node)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Believed(Generic[T]):
    """What the node that is believed says, and by host why others were not asked, or did not say it."""

    told: T
    failed: Mapping[str, SourceError]


async def ask_believed(
    nodes: Sequence[N], ask: Callable[[N, int], Awaitable[T]], *, proofs: ChainProofs, at_least: int = 0
) -> Believed[T]:
    """Ask the first node that is believed, and the next where it cannot say.

    Args:
        nodes: in the order they are to be asked.
        ask: asks a node, given the number of the newest block it knows.
        proofs: which chain nodes are of.
        at_least: a block that is known already; a node that knows less is behind as well.

    Raises:
        SourceError: no node is believed, or none of those could say it.
    """
    candidates = await _candidates(nodes, proofs=proofs, at_least=at_least)
    failed = dict(candidates.refused)
    for node, head in candidates.heads:
        try:
            return Believed(await ask(node, head), failed)
        except SourceError as error:
            failed[node.host] = last = error
    if not candidates.heads:
        last = next(iter(failed.values()))
    raise last


async def heads_of(nodes: Sequence[N], *, proofs: ChainProofs) -> dict[str, int | SourceError]:
    """By host, the number of the newest block each knows, or why it is not believed."""
    found = await _candidates(nodes, proofs=proofs, at_least=0)
    return {**{node.host: head for node, head in found.heads}, **found.refused}


@dataclass(frozen=True, slots=True)
class _Candidates(Generic[N]):
    heads: list[tuple[N, int]] = field(default_factory=list)
    refused: dict[str, SourceError] = field(default_factory=dict)


async def _candidates(nodes: Sequence[N], *, proofs: ChainProofs, at_least: int) -> _Candidates[N]:
    """The nodes that may be asked, each with its newest block, and why the others may not."""
    told = await asyncio.gather(*(_head(node, proofs) for node in nodes))
    newest = max((one for one in told if isinstance(one, int)), default=0)
    found: _Candidates[N] = _Candidates()
    for node, one in zip(nodes, told, strict=True):
        if isinstance(one, SourceError):
            found.refused[node.host] = one
        elif (lag := max(newest, at_least) - one) > node.behind:
            found.refused[node.host] = SourceUnavailable(
                f"{node.host} is {lag} blocks behind, at {one}; it is not believed"
            )
        else:
            found.heads.append((node, one))
    return found


async def _head(node: Node, proofs: ChainProofs) -> int | SourceError:
    try:
        await proofs.see(node)
        return await node.head()
    except SourceError as error:
        return error
