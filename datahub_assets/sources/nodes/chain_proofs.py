"""Which chain each node is of: a URL of a testnet, given by mistake, looks like any other."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Protocol

from datahub_assets.domain.errors import SourceRejected
from datahub_assets.domain.times import HOUR_MS

NOTE: Final = "chain_proofs"
"""Note: what nodes said, for the next fetch."""
_HOLDS_MS: Final = HOUR_MS


class OfAChain(Protocol):
    """A node that says which chain it is of."""

    url: str
    host: str
    mainnet: str

    async def chain(self) -> str:
        """What names its chain; raises SourceError."""
        ...


class ChainProofs:
    """What nodes said of their chains, and when. Each is asked once an hour, by whichever process.

    Args:
        noted: what an earlier fetch noted; of another form it says nothing.
        now_ms: this machine's time, epoch milliseconds UTC.
    """

    def __init__(self, noted: object = None, *, now_ms: int) -> None:
        self._now_ms = now_ms
        self._told: dict[str, tuple[str, int]] = {}
        for name, told in noted.items() if isinstance(noted, Mapping) else ():
            match told:
                case [str(chain), int(at_ms)] if 0 <= now_ms - at_ms < _HOLDS_MS:
                    self._told[str(name)] = (chain, at_ms)

    async def see(self, node: OfAChain) -> None:
        """See that a node is of the chain it is asked for.

        Raises:
            SourceRejected: it is of another.        SourceError: it does not say.
        """
        name = sha256(node.url.encode()).hexdigest()[:16]  # a URL may hold a key
        if name not in self._told:
            self._told[name] = (await node.chain(), self._now_ms)
        chain = self._told[name][0]
        if chain != node.mainnet:
            raise SourceRejected(
                f"{node.host} is a node of chain {chain:.80}, not of {node.mainnet}: it is not believed; "
                "take it out of the settings, or give the URL of its main network"
            )

    def noted(self) -> dict[str, object]:
        """What the next fetch is to know."""
        return {name: list(told) for name, told in self._told.items()}
