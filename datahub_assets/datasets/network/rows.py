"""What makes what a node tells of a network a row of the dataset, or a rejected one.

Bitcoin: `/v1/fees/recommended`, `/mempool` and `/v1/mining/hashrate/3d` of mempool.space (docs/api/rest); Esplora has
only the second. Ethereum: `eth_feeHistory` of the execution-apis.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from datahub_assets.datasets.followed_chains import BITCOIN
from datahub_assets.datasets.network.spec import PERCENTILES
from datahub_assets.domain import fields
from datahub_assets.domain.fields import BadField

_WEI_PER_GWEI: Final = 10**9
_FEES: Final = {
    "fee_fastest": "fastestFee",
    "fee_half_hour": "halfHourFee",
    "fee_hour": "hourFee",
    "fee_economy": "economyFee",
    "fee_minimum": "minimumFee",
}


def network_row(item: Mapping[str, object], now_ms: int) -> dict[str, object]:
    """The columns of a row; null where a source does not say.

    Raises:
        BadField: one of them cannot be used.
    """
    row = _of_bitcoin(item) if item["chain"] == BITCOIN else _of_ethereum(_object("feeHistory", item.get("fees")))
    same = {"chain": item["chain"], "timestamp": now_ms, "block_number": item["head"], "provider": item["host"]}
    return {**same, **row}


def _of_bitcoin(item: Mapping[str, object]) -> dict[str, object]:
    fees, mempool = _object("fees", item.get("fees")), _object("mempool", item.get("mempool"))
    work = _object("hashrate", item.get("hashrate"))
    return {
        **{column: fields.not_negative(name, fees.get(name)) for column, name in _FEES.items()},
        "mempool_count": fields.count("count", mempool.get("count")),
        "mempool_vsize": fields.count("vsize", mempool.get("vsize")),
        "difficulty": fields.positive("currentDifficulty", work.get("currentDifficulty")),
        "hashrate": fields.positive("currentHashrate", work.get("currentHashrate")),
    }


def _of_ethereum(history: Mapping[str, object]) -> dict[str, object]:
    base_fees = [_gwei("baseFeePerGas", one) for one in _list("baseFeePerGas", history.get("baseFeePerGas"))]
    rewards = [_list("reward", one) for one in _list("reward", history.get("reward") or [])]
    if not base_fees:
        raise BadField("baseFeePerGas is empty")
    if any(len(one) != len(PERCENTILES) for one in rewards):
        raise BadField(f"reward does not have {len(PERCENTILES)} values a block: {fields.shown(rewards)}")
    tips = [[_gwei("reward", value) for value in values] for values in zip(*rewards, strict=True)]
    columns = (f"priority_fee_p{percent}_gwei" for percent in PERCENTILES)
    told = dict(zip(columns, (median(values) for values in tips), strict=False))
    return {"base_fee_gwei": base_fees[-1], **told}


def _object(name: str, value: object) -> Mapping[str, object]:
    """An object, an empty one for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadField(f"{name} is not an object: {fields.shown(value)}")
    return value


def _list(name: str, value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise BadField(f"{name} is not a list: {fields.shown(value)}")
    return value


def _gwei(name: str, value: object) -> float:
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16) / _WEI_PER_GWEI
    except ValueError:
        pass
    raise BadField(f"{name} is not a hexadecimal number: {fields.shown(value)}")
