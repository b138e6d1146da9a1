"""What the dataset of networks is."""

from typing import Final

from datahub_assets.datasets.followed_chains import CHAIN, CHAIN_FILTER, LICENCE, PROVIDER, NodeSettings
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByTime, Period
from datahub_assets.domain.times import DAY_MS

PERCENTILES: Final = (10, 50, 90)
"""Of what transactions pay on top of the base fee."""
BLOCKS_LOOKED_AT: Final = 20


def _bitcoin_fee(name: str, what: str, example: float) -> Column:
    return Column(
        f"fee_{name}", ColumnKind.NUMBER, f"fee for {what}; Bitcoin's", unit="sat/vB", example=example, at_least=0
    )


def _tip(percent: int, example: float) -> Column:
    doc = (
        f"what {percent} % of gas paid at most on top of the base fee, median of {BLOCKS_LOOKED_AT} blocks; Ethereum's"
    )
    return Column(f"priority_fee_p{percent}_gwei", ColumnKind.NUMBER, doc, unit="gwei", example=example, at_least=0)


_COLUMNS: Final = (
    CHAIN,
    Column("timestamp", ColumnKind.TIME, "when the node was asked, UTC", example="2025-11-25T10:30:00Z"),
    Column("block_number", ColumnKind.COUNT, "the newest block then", example=23_870_000, at_least=0),
    _bitcoin_fee("fastest", "the next block", 9.0),
    _bitcoin_fee("half_hour", "half an hour", 7.0),
    _bitcoin_fee("hour", "an hour", 5.0),
    _bitcoin_fee("economy", "whenever there is room", 2.0),
    _bitcoin_fee("minimum", "being relayed at all", 1.0),
    Column("mempool_count", ColumnKind.COUNT, "transactions that wait; Bitcoin's", example=3169, at_least=0),
    Column("mempool_vsize", ColumnKind.COUNT, "their size; Bitcoin's", unit="vB", example=1_891_542, at_least=0),
    Column("difficulty", ColumnKind.NUMBER, "how hard a block is; Bitcoin's", example=1.52e14, at_least=0),
    Column("hashrate", ColumnKind.NUMBER, "estimated work; Bitcoin's", unit="hash/s", example=1.07e21, at_least=0),
    Column(
        "base_fee_gwei",
        ColumnKind.NUMBER,
        "base fee of the next block; Ethereum's",
        unit="gwei",
        example=1.24,
        at_least=0,
    ),
    _tip(10, 0.01),
    _tip(50, 0.1),
    _tip(90, 2.0),
    Column("provider", ColumnKind.TEXT, "the node that told it", example="ethereum-rpc.publicnode.com"),
    Column("ingested_at", ColumnKind.TIME, "when it was fetched, UTC", example="2025-11-25T10:30:00Z"),
)

NETWORK: Final = DatasetSpec(
    name="network",
    title="Fees and load of Ethereum and Bitcoin",
    summary="Every minute: fee tiers and the mempool of Bitcoin, its difficulty and hashrate, and what gas costs on "
    "Ethereum, as public nodes tell it.",
    answer="The newest rows, the newest first; with `start` or `end` those of that time.",
    repo_name="crypto-chain-network",
    provider=PROVIDER,
    source_url="https://mempool.space/docs/api/rest",
    licence=LICENCE,
    source_asset="chain_network",
    cache_table="cached_network",
    hub_asset="crypto_chain_network",
    tags=("cryptocurrency", "blockchain", "ethereum", "bitcoin", "fees"),
    columns=_COLUMNS,
    key=(CHAIN.name, "timestamp"),
    series=CHAIN.name,
    partitioning=ByTime(Period.MONTH),
    filters=(CHAIN_FILTER,),
    retention_ms=30 * DAY_MS,
    publish_interval_s=3600,
    settings=NodeSettings,
)

SPEC: Final = NETWORK
