"""What a fetch asks of a node, whichever chain it is of."""

from typing import Protocol


class ChainBlocks(Protocol):
    """The blocks of a chain, as one node tells them."""

    chain: str
    host: str

    async def newest_final(self, head: int) -> int:
        """The number of the newest block that stays; raises SourceError."""
        ...

    async def block(self, number: int) -> object | None:
        """A block as the node tells it; None where it does not have it. Raises SourceError."""
        ...
