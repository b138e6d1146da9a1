"""A fake explorer of Bitcoin: mempool.space's blocks with extras, fees and mempool, or Esplora's alone.

Shapes after mempool.space's documented answers and Esplora's API.md.
"""

from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.nodes.chain import MadeBlock, MadeChain
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream

MAINNET: Final = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
TESTNET: Final = "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"
"""Hashes of block 0 of the main network and of testnet3."""
_PAGE: Final = 15
_ESPLORA_PAGE: Final = 10
_ROOT: Final = "/api"
_NOT_FOUND: Final = Answer(status=404, body=b"Not Found", content_type="text/plain")
_SAID: Final = {
    "/v1/fees/recommended": {"fastestFee": 9, "halfHourFee": 7, "hourFee": 5, "economyFee": 2, "minimumFee": 1},
    "/v1/mining/hashrate/3d": {"currentHashrate": 6.5e20, "currentDifficulty": 9.1e13, "hashrates": []},
}
_MEMPOOL: Final[dict[str, Any]] = {
    "count": 3169, "vsize": 1_891_542, "total_fee": 20_317_481, "fee_histogram": [],
}  # fmt: skip


class FakeBitcoin(Upstream):
    """An explorer of the chain, `lag` blocks behind it; `extras`: it has what only mempool.space has.

    `moving`: the mempool follows the clock.
    """

    commands = (*Upstream.commands, "grow", "replace", "set_lag", "set_block", "set_chain")

    def __init__(
        self,
        *,
        chain: MadeChain,
        extras: bool = True,
        moving: bool = False,
        clock: Clock | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port)
        self.chain = chain
        self.extras = extras
        self.moving = moving
        self.lag = 0
        self.genesis = MAINNET
        self.changes: dict[int, dict[str, Any] | None] = {}

    def grow(self, *, blocks: int = 1) -> None:
        """So many blocks more."""
        self.chain.grow(blocks)

    def replace(self, *, blocks: int) -> None:
        """Other blocks take the places of the newest ones."""
        self.chain.replace(blocks)

    def set_lag(self, *, blocks: int) -> None:
        """Know so many blocks fewer."""
        self.lag = blocks

    def set_chain(self, *, genesis: str) -> None:
        """Be an explorer of the chain that begins with this block."""
        self.genesis = genesis

    def set_block(self, *, number: int, fields: dict[str, Any] | None) -> None:
        """Answer with these fields for a block, whatever they hold; None: do not know it."""
        self.changes[number] = fields

    def route(self, request: Request) -> Answer:
        """Answer a path below /api."""
        path = request.path.removeprefix(_ROOT)
        head = self.chain.head - self.lag
        if path == "/blocks/tip/height":
            return Answer.of(head)
        if path == "/block-height/0":
            return Answer(status=200, body=self.genesis.encode(), content_type="text/plain")
        if path.startswith("/v1/") and not self.extras:
            return _NOT_FOUND
        if path.startswith(("/v1/blocks/", "/blocks/")):
            begin, size = int(path.rpartition("/")[2]), _PAGE if path.startswith("/v1") else _ESPLORA_PAGE
            numbers = range(min(begin, head), max(begin - size, self.chain.first - 1), -1)
            shapes = (self._block(number, extras=path.startswith("/v1")) for number in numbers)
            return Answer.of([one for one in shapes if one is not None])
        if path == "/mempool":
            return Answer.of(self._mempool())
        return Answer.of(_SAID[path]) if path in _SAID else _NOT_FOUND

    def _mempool(self) -> dict[str, Any]:
        return _MEMPOOL | ({"count": self.clock.now_ms() // 1000 % 10_000} if self.moving else {})

    def _block(self, number: int, *, extras: bool) -> dict[str, Any] | None:
        block = self.chain.block(number)
        if block is None or self.changes.get(number, {}) is None:
            return None
        return {**_shape(block, extras=extras), **(self.changes.get(number) or {})}


def _shape(block: MadeBlock, *, extras: bool) -> dict[str, Any]:
    shape = {
        "id": block.hash,
        "height": block.number,
        "timestamp": block.time_s,
        "tx_count": 2000 + block.number % 50 + block.fork,
        "size": 1_500_000 + block.number % 1000,
        "difficulty": 9.1e13,
        "previousblockhash": block.parent_hash,
    }
    more = {"totalFees": 8_700_000, "reward": 321_200_000, "pool": {"id": 1, "name": "Foundry USA"}}
    return {**shape, "extras": more} if extras else shape
