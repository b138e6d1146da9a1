"""What the dataset of blocks is."""

from typing import Final

from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.followed_chains import CHAIN, CHAIN_FILTER, LICENCE, PROVIDER, NodeSettings
from datahub_assets.datasets.spec import CorrectionRule, DatasetSpec, NumberGapRule
from datahub_assets.domain.columns import Column, ColumnKind
from datahub_assets.domain.tables import ByRange
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

AHEAD_MS: Final = 2 * HOUR_MS
"""Bitcoin takes blocks that are stamped up to two hours ahead (Bitcoin Core, MAX_FUTURE_BLOCK_TIME)."""
_RANGE: Final = 100_000
"""Blocks in a file: two weeks of Ethereum, two years of Bitcoin."""

_COLUMNS: Final = (
    CHAIN,
    Column("number", ColumnKind.COUNT, "the block's number, also called its height", example=21_800_000, at_least=0),
    Column("timestamp", ColumnKind.TIME, "when it was made, as its maker says, UTC", example="2025-02-08T04:23:11Z"),
    Column("hash", ColumnKind.TEXT, "the block's hash, in hexadecimal digits", example="0x" + 16 * "5f3a"),
    Column("parent_hash", ColumnKind.TEXT, "the hash of the block before", example="0x" + 16 * "9b1c"),
    Column("transaction_count", ColumnKind.COUNT, "transactions in it", example=187, at_least=0),
    Column("size", ColumnKind.COUNT, "its size", unit="bytes", example=75_120, at_least=0),
    Column("gas_used", ColumnKind.COUNT, "gas its transactions used; Ethereum's", example=14_210_882, at_least=0),
    Column("gas_limit", ColumnKind.COUNT, "gas they might have used; Ethereum's", example=36_000_000, at_least=0),
    Column(
        "base_fee_gwei",
        ColumnKind.NUMBER,
        "price of gas that is burnt; Ethereum's",
        unit="gwei",
        example=1.24,
        at_least=0,
    ),
    Column(
        "burnt_gwei",
        ColumnKind.NUMBER,
        "what was burnt: base fee times gas used; Ethereum's",
        unit="gwei",
        example=17_621_493.7,
        at_least=0,
    ),
    Column("fees", ColumnKind.NUMBER, "fees of all transactions; Bitcoin's", unit="BTC", example=0.087, at_least=0),
    Column(
        "reward",
        ColumnKind.NUMBER,
        "what its maker got, fees included; Bitcoin's",
        unit="BTC",
        example=3.212,
        at_least=0,
    ),
    Column(
        "miner_or_pool",
        ColumnKind.TEXT,
        "who made it: an address on Ethereum, a pool's name on Bitcoin",
        example="0x95222290dd7278aa3ddd389cc1e1d165cc4bafe5",
    ),
    Column(
        "finalized",
        ColumnKind.FLAG,
        "whether it stays: finalized on Ethereum, six confirmations on Bitcoin; another may take its place until then",
        example=True,
    ),
    Column("provider", ColumnKind.TEXT, "the node that told it", example="ethereum-rpc.publicnode.com"),
    Column(
        "ingested_at", ColumnKind.TIME, "when this version of the row was fetched, UTC", example="2025-02-08T04:24:00Z"
    ),
)

BLOCKS: Final = DatasetSpec(
    name="blocks",
    title="Blocks of Ethereum and Bitcoin",
    summary="Headers of the blocks of Ethereum and Bitcoin, from the moment this hub first asked on; the newest may "
    "still be replaced (`finalized = false`).",
    answer="The newest blocks, the newest first; with `start` or `end` those made in that time.",
    repo_name="crypto-chain-blocks",
    provider=PROVIDER,
    source_url="https://ethereum.org/developers/docs/apis/json-rpc",
    licence=LICENCE,
    source_asset="chain_blocks",
    cache_table="cached_blocks",
    hub_asset="crypto_chain_blocks",
    tags=("cryptocurrency", "blockchain", "ethereum", "bitcoin"),
    columns=_COLUMNS,
    key=(CHAIN.name, "number"),
    series=CHAIN.name,
    final="finalized",
    partitioning=ByRange("number", _RANGE),
    filters=(
        CHAIN_FILTER,
        Filter(parameter="number", column="number", doc="numbers of blocks", example=("21800000",)),
        Filter(parameter="finalized_only", column="finalized", doc="leave out blocks that may still be replaced"),
    ),
    gaps=NumberGapRule("number", noun="blocks"),
    corrections=CorrectionRule(
        noticed="A block whose place another one took is one of them, whether it was final or not: its hash changed.",
        before_final=("hash",),
    ),
    stamped_at_begin=True,
    ahead_ms=AHEAD_MS,
    retention_ms=30 * DAY_MS,
    stale_warn_ms=15 * MINUTE_MS,
    stale_fail_ms=120 * MINUTE_MS,
    publish_interval_s=3600,
    settings=NodeSettings,
)

SPEC: Final = BLOCKS
