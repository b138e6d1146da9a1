"""What makes a block as a node tells it a row of the dataset, or a rejected one.

Ethereum: execution-apis, "Block object" (github.com/ethereum/execution-apis): hexadecimal numbers, times in seconds.
Bitcoin: the blocks of mempool.space, whose `extras` Esplora does not have; amounts in satoshi.
"""

import re
from collections.abc import Mapping
from typing import Final

from datahub_assets.datasets.blocks.spec import AHEAD_MS
from datahub_assets.datasets.followed_chains import BITCOIN, ETHEREUM
from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField

_HASH: Final = re.compile(r"(?:0x)?[0-9a-f]{64}")
_QUANTITY: Final = re.compile(r"0x[0-9a-f]{1,64}")
_WEI_PER_GWEI: Final = 10**9
_SATOSHI: Final = 10**8


def told(chain: str, block: object, *, host: str, finalized: bool) -> dict[str, object]:
    """A block as a node told it, with what it does not say itself: an item for `block_row`."""
    return {"chain": chain, "host": host, "finalized": finalized, "block": block}


def number_told(item: Mapping[str, object]) -> int | None:
    """The number that the block of an item says it has; None where it says none."""
    return number_of(str(item["chain"]), item["block"])


def block_row(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    """The columns of a block.

    Raises:
        BadField: one of them cannot be used.
    """
    block = item["block"]
    if not isinstance(block, Mapping):
        raise BadField(f"block is not an object but a {type(block).__name__}")
    read = {ETHEREUM: _of_ethereum, BITCOIN: _of_bitcoin}[str(item["chain"])]
    row = read(block)
    time_s = row["time_s"]
    made_ms = 1000 * fields.there("timestamp", time_s if isinstance(time_s, int) else None)
    return {
        **{name: value for name, value in row.items() if name != "time_s"},
        "timestamp": fields.plausible("timestamp", made_ms, latest_ms=now_ms + AHEAD_MS),
        "chain": item["chain"],
        "finalized": item["finalized"],
        "provider": item["host"],
    }


def number_of(chain: str, block: object) -> int | None:
    """The number a block says it has; None where it says none."""
    if not isinstance(block, Mapping):
        return None
    value = block.get("number" if chain == ETHEREUM else "height")
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    return value if type(value) is int else None


def hashes_of(chain: str, block: object) -> tuple[object, object]:
    """What a block says of its own hash and that of the block before."""
    if not isinstance(block, Mapping):
        return None, None
    own, before = ("hash", "parentHash") if chain == ETHEREUM else ("id", "previousblockhash")
    return block.get(own), block.get(before)


def _of_ethereum(block: Mapping[str, object]) -> dict[str, object]:
    transactions = block.get("transactions")
    if not isinstance(transactions, list):
        raise BadField(f"transactions is not a list: {fields.shown(transactions)}")
    used, fee_wei = _quantity("gasUsed", block), _optional("baseFeePerGas", block)
    return {
        "number": _quantity("number", block),
        "time_s": _quantity("timestamp", block),
        "hash": _hash("hash", block.get("hash")),
        "parent_hash": _hash("parentHash", block.get("parentHash")),
        "transaction_count": len(transactions),
        "size": _optional("size", block),
        "gas_used": used,
        "gas_limit": _quantity("gasLimit", block),
        "base_fee_gwei": None if fee_wei is None else fee_wei / _WEI_PER_GWEI,
        "burnt_gwei": None if fee_wei is None else fee_wei * used / _WEI_PER_GWEI,
        "miner_or_pool": fields.text("miner", block.get("miner")),
    }


def _of_bitcoin(block: Mapping[str, object]) -> dict[str, object]:
    extras = block.get("extras") or {}
    if not isinstance(extras, Mapping):
        raise BadField(f"extras is not an object but a {type(extras).__name__}")
    pool = extras.get("pool") or {}
    if not isinstance(pool, Mapping):
        raise BadField(f"pool is not an object but a {type(pool).__name__}")
    return {
        "number": fields.there("height", fields.count("height", block.get("height"))),
        "time_s": fields.count("timestamp", block.get("timestamp")),
        "hash": _hash("id", block.get("id")),
        "parent_hash": _hash("previousblockhash", block.get("previousblockhash")),
        "transaction_count": fields.count("tx_count", block.get("tx_count")),
        "size": fields.count("size", block.get("size")),
        "fees": _bitcoins("totalFees", extras.get("totalFees")),
        "reward": _bitcoins("reward", extras.get("reward")),
        "miner_or_pool": fields.text("pool.name", pool.get("name")),
    }


def _bitcoins(name: str, satoshi: object) -> float | None:
    count = fields.count(name, satoshi)
    return None if count is None else count / _SATOSHI


def _hash(name: str, value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise BadField(f"{name} is not a hash of 64 hexadecimal digits: {fields.shown(value)}")
    return value


def _quantity(name: str, block: Mapping[str, object]) -> int:
    return fields.there(name, _optional(name, block))


def _optional(name: str, block: Mapping[str, object]) -> int | None:
    value = block.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise BadField(f"{name} is not a hexadecimal number: {fields.shown(value)}")
    return int(value, 16)
