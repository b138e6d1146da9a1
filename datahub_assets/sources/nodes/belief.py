"""Which of several nodes is believed: the first that answers and is not behind the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from datahub_assets.domain.errors import SourceError, SourceUnavailable


class Node(Protocol):
    """A node of a chain."""

    @property
    def host(self) -> str:
        """Its name in messages and rows."""
        ...

    async def head(self) -> int:
        """The number of the newest block it knows.

        Raises:
            SourceError: it cannot be asked.
        """
        ...


N = TypeVar("N", bound=Node)


@dataclass(frozen=True, slots=True)
class Believed(Generic[N]):
    """Nodes to ask, the first one first, with the number of the newest block each knows; and why others are not asked.

    Attributes:
        head: the largest of those numbers.
    """

    nodes: tuple[tuple[N, int], ...]
    head: int
    refused: Mapping[str, SourceError]


async def believed(nodes: Sequence[N], *, behind: int, at_least: int = 0) -> Believed[N]:
    """Ask all nodes how far they are.

    Args:
        nodes: in the order they are to be asked.
        behind: so many blocks a node may lack that another knows.
        at_least: a block that is known already; who knows less is behind as well.

    Raises:
        SourceError: none of them answers, or all are behind what is known already.
    """
    told = await asyncio.gather(*(_head(node) for node in nodes))
    refused = {node.host: one for node, one in zip(nodes, told, strict=True) if isinstance(one, SourceError)}
    heads = [(node, one) for node, one in zip(nodes, told, strict=True) if isinstance(one, int)]
    head = max((one for _, one in heads), default=0)
    good = []
    for node, one in heads:
        if one < max(head, at_least) - behind:
            lag = max(head, at_least) - one
            refused[node.host] = SourceUnavailable(f"{node.host} is {lag} blocks behind, at {one}; it is not believed")
        else:
            good.append((node, one))
    if not good:
        raise next(iter(refused.values()))
    return Believed(tuple(good), head, refused)


async def _head(node: Node) -> int | SourceError:
    try:
        return await node.head()
    except SourceError as error:
        return error


T = TypeVar("T")


async def first_of(nodes: Believed[N], ask: Callable[[N, int], Awaitable[T]]) -> tuple[T, dict[str, SourceError]]:
    """What the first node that can says, and why those before it could not.

    Raises:
        SourceError: none of them could; the last one's.
    """
    failed: dict[str, SourceError] = {}
    for node, head in nodes.nodes:
        try:
            return await ask(node, head), failed
        except SourceError as error:
            failed[node.host] = error
    raise failed[nodes.nodes[-1][0].host]
