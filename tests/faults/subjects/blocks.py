"""Blocks, as nodes tell them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from datahub_assets.datasets.blocks.client import fetch
from datahub_assets.datasets.blocks.spec import BLOCKS as SPEC
from tests.fakes.nodes.ethereum import UNFINAL
from tests.faults.subjects.subject import MOVED_KEYS, Heard, Key, Step, Subject, Told, readable, without

if TYPE_CHECKING:
    from tests.faults.world import World

HEADS: Final = {
    "all calls of Ethereum": Step("ethereum"),
    "head of Ethereum": Step("ethereum", "/eth_blockNumber"),
    "all calls of Bitcoin": Step("bitcoin"),
    "head of Bitcoin": Step("bitcoin", "/tip/height"),
}
"""What all datasets ask that are about chains."""
REPLACED_FROM: Final = {"ethereum": 24_000_144, "bitcoin": 930_029}
"""From which block on others have taken the places by the roll: on Ethereum blocks that were final as well."""
_CONFIRMATIONS: Final = 6


def _told(heard: Sequence[Heard]) -> Iterator[Told]:
    for one in heard:
        found = one.value
        if one.path == "/eth_getBlockByNumber":
            rows = readable(_of_ethereum, found["result"]) if isinstance(found, dict) and found.get("result") else ()
        elif "/blocks/" in one.path and isinstance(found, list):
            rows = (row for block in found for row in readable(_of_bitcoin, block))
        else:
            continue
        for row in rows:
            yield from ({**row, "finalized": final} for final in (False, True))


def _of_ethereum(block: Mapping[str, Any]) -> Told:
    used, fee = int(block["gasUsed"], 16), int(block["baseFeePerGas"], 16)
    return {
        "chain": "ethereum",
        "number": int(block["number"], 16),
        "timestamp": 1000 * int(block["timestamp"], 16),
        "hash": block["hash"],
        "parent_hash": block["parentHash"],
        "transaction_count": len(block["transactions"]),
        "size": int(block["size"], 16),
        "gas_used": used,
        "gas_limit": int(block["gasLimit"], 16),
        "base_fee_gwei": fee / 1e9,
        "burnt_gwei": fee * used / 1e9,
        "fees": None,
        "reward": None,
        "miner_or_pool": block["miner"],
        "provider": "127.0.0.1",
    }


def _of_bitcoin(block: Mapping[str, Any]) -> Told:
    extras = block["extras"]
    return {
        "chain": "bitcoin",
        "number": block["height"],
        "timestamp": 1000 * block["timestamp"],
        "hash": block["id"],
        "parent_hash": block["previousblockhash"],
        "transaction_count": block["tx_count"],
        "size": block["size"],
        **dict.fromkeys(("gas_used", "gas_limit", "base_fee_gwei", "burnt_gwei")),
        "fees": extras["totalFees"] / 1e8,
        "reward": extras["reward"] / 1e8,
        "miner_or_pool": extras["pool"]["name"],
        "provider": "127.0.0.1",
    }


def _now(world: "World", landed: frozenset[Key]) -> Iterator[Told]:
    """Of each chain all blocks from the first one that landed to the newest, without a hole."""
    kept = {"ethereum": UNFINAL, "bitcoin": _CONFIRMATIONS - 1}
    for name, chain in world.chains_made.items():
        begin = min(number for told, number in landed if told == name)  # type: ignore[type-var]
        for number in range(begin, chain.head + 1):  # type: ignore[call-overload]
            block = chain.block(number)
            assert block is not None
            yield {
                "chain": name,
                "number": number,
                "timestamp": 1000 * block.time_s,
                "hash": block.hash,
                "parent_hash": block.parent_hash,
                "finalized": number <= chain.head - kept[name],
            }


def _changes(world: "World") -> None:
    for name, chain in world.chains_made.items():
        chain.replace(chain.head - REPLACED_FROM[name] + 1)


BLOCKS: Final = Subject(
    spec=SPEC,
    clients=(fetch,),
    hears=("ethereum", "bitcoin"),
    answers=("eth_chainId", "eth_blockNumber", "eth_getBlockByNumber", "block-height", "height", "blocks"),
    writes=(
        *("INSERT INTO corrections", "UPDATE corrections", "hub read", *MOVED_KEYS),
        *("INSERT OR REPLACE INTO notes", "UPDATE series", "UPDATE number_gaps"),
    ),
    steps={
        **HEADS,
        "blocks of Ethereum": Step("ethereum", "/eth_getBlockByNumber"),
        "blocks of Bitcoin": Step("bitcoin", "/v1/blocks/"),
    },
    told=_told,
    now=_now,
    said=without(SPEC),
    named=SPEC.key,
    changes=_changes,
    has_sealed=False,  # what it began with lies in windows still
)
