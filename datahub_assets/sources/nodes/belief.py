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
class Believed(Generic[N]):
    """The nodes that may be asked, each with its newest block; and by host why the others may not."""

    heads: list[tuple[N, int]] = field(default_factory=list)
    refused: dict[str, SourceError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeAnswer(Generic[T]):
    """What a node that is believed says, and by host why others were not asked, or did not say it."""

    told: T
    failed: Mapping[str, SourceError]


async def ask_believed(
    nodes: Sequence[N], ask: Callable[[N, int], Awaitable[T]], *, proofs: ChainProofs
) -> NodeAnswer[T]:
    """Ask the first of these nodes that is believed, and the next where it cannot say; raises as `ask_in_turn`."""
    return await ask_in_turn(await believed(nodes, proofs=proofs), ask)


async def believed(nodes: Sequence[N], *, proofs: ChainProofs, at_least: int = 0) -> Believed[N]:
    """See which nodes may be asked.

    Args:
        nodes: in the order they are to be asked.
        proofs: which chain nodes are of.
        at_least: a block that is known already; a node that knows less is behind as well.
    """
    told = await asyncio.gather(*(_head(node, proofs) for node in nodes))
    newest = max((one for one in told if isinstance(one, int)), default=0)
    found: Believed[N] = Believed()
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


async def ask_in_turn(nodes: Believed[N], ask: Callable[[N, int], Awaitable[T]]) -> NodeAnswer[T]:
    """What the first node says that can.

    Args:
        ask: asks a node, given the number of the newest block it knows.

    Raises:
        SourceError: no node is believed, or none of those could say it.
    """
    failed: dict[str, SourceError] = {}
    for node, head in nodes.heads:
        try:
            return NodeAnswer(await ask(node, head), {**nodes.refused, **failed})
        except SourceError as error:
            failed[node.host] = last = error
    if not nodes.heads:
        last = next(iter(nodes.refused.values()))
    raise last


async def _head(node: Node, proofs: ChainProofs) -> int | SourceError:
    try:
        await proofs.see(node)
        return await node.head()
    except SourceError as error:
        return error
