"""Fees and load of networks, as nodes tell them."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from datahub_assets.datasets.network import client
from datahub_assets.datasets.network.spec import NETWORK as SPEC
from tests.faults.subjects.blocks import HEADS
from tests.faults.subjects.subject import Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

_FEES: Final = {
    "fee_fastest": "fastestFee", "fee_half_hour": "halfHourFee", "fee_hour": "hourFee", "fee_economy": "economyFee",
    "fee_minimum": "minimumFee",
}  # fmt: skip
_BITCOIN: Final = ("/blocks/tip/height", "/v1/fees/recommended", "/mempool", "/v1/mining/hashrate/3d")
_ETHEREUM: Final = ("/eth_blockNumber", "/eth_feeHistory")
PERCENTILES: Final = (10, 50, 90)
_TIPS: Final = ("priority_fee_p10_gwei", "priority_fee_p50_gwei", "priority_fee_p90_gwei")
_NONE: Final = dict.fromkeys(
    (*_FEES, "mempool_count", "mempool_vsize", "difficulty", "hashrate", "base_fee_gwei", *_TIPS)
)


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    """A row each time the last of the questions about a network is answered, by the latest answers to all."""
    last: dict[str, Any] = {}
    for one in heard:
        path = one.path.removeprefix("/api")
        last[path] = one.value
        if path == _ETHEREUM[-1]:
            yield from readable(_of_ethereum, *(last.get(asked) for asked in _ETHEREUM))
        elif path == _BITCOIN[-1]:
            yield from readable(_of_bitcoin, *(last.get(asked) for asked in _BITCOIN))


def _of_ethereum(head: Any, fees: Any) -> Told:
    history = fees["result"]
    tips = [median(int(one, 16) / 1e9 for one in values) for values in zip(*history["reward"], strict=True)]
    return {
        **_NONE,
        "chain": "ethereum",
        "block_number": int(head["result"], 16),
        "base_fee_gwei": int(history["baseFeePerGas"][-1], 16) / 1e9,
        **dict(zip(_TIPS, tips, strict=True)),
        "provider": "127.0.0.1",
    }


def _of_bitcoin(head: Any, fees: Any, mempool: Any, work: Any) -> Told:
    """What upstream leaves out is not said."""
    fees, mempool, work = fees or {}, mempool or {}, work or {}
    return {
        **_NONE,
        "chain": "bitcoin",
        "block_number": head,
        **{column: fees.get(name) for column, name in _FEES.items()},
        "mempool_count": mempool.get("count"),
        "mempool_vsize": mempool.get("vsize"),
        "difficulty": work.get("currentDifficulty"),
        "hashrate": work.get("currentHashrate"),
        "provider": "127.0.0.1",
    }


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    """What a tick that is made now finds."""
    asked = [world.ask(world.ethereum, path) for path in _ETHEREUM]
    asked += [world.ask(world.bitcoin, f"/api{path}") for path in _BITCOIN]
    return ({**row, "timestamp": world.clock.now_ms()} for row in _told(asked))


NETWORK: Final = Subject(
    spec=SPEC,
    clients=(client,),
    hears=("ethereum", "bitcoin"),
    answers=("eth_blockNumber", "eth_feeHistory", "height", "recommended", "mempool", "hashrate"),
    steps={
        **HEADS,
        "fees of Ethereum": Step("ethereum", "/eth_feeHistory"),
        "fees of Bitcoin": Step("bitcoin", "/fees/recommended"),
        "mempool": Step("bitcoin", "/mempool"),
        "hashrate": Step("bitcoin", "/mining/hashrate/"),
    },
    told=_told,
    now=_now,
    said=without(SPEC, "timestamp"),
    named=("chain",),
    has_sealed=False,  # nobody was asked in an earlier month
)
