"""Two made chains with a node each, and a fetch from them that remembers what was stored."""

import logging
from collections.abc import Iterator

import polars as pl
import pytest

from datahub_assets.datasets.blocks.client.fetch import fetch_blocks
from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.domain.rows import merge
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from datahub_assets.sources.nodes.chain_proofs import NOTE
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain

NOW_MS = 1_763_800_015_000  # 2025-11-22T08:26:55Z
LOG = logging.getLogger("tests.blocks")


class Followed:
    """What is stored of two chains, after each fetch."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.rows = pl.DataFrame(schema=BLOCKS.polars_schema())
        self.now_ms = NOW_MS
        self.notes: dict[str, object] = {}
        self.missing: dict[str, list[int]] = {}

    def fetch(self) -> Fetched:
        self.now_ms += 60_000
        self.asked = fetch_blocks(
            self.settings,
            held=self.rows,
            missing=self.missing,
            clock=lambda: self.now_ms,
            log=LOG,
            noted=self.notes.get(NOTE),
            backoff=Backoff(attempts=1),
        )
        fetched = self.asked.fetched
        self.notes |= fetched.notes
        self.rows = merge(BLOCKS, [self.rows, fetched.checked.frame])
        return fetched

    def of(self, chain: str) -> dict[int, dict[str, object]]:
        return {row["number"]: row for row in self.rows.filter(chain=chain).iter_rows(named=True)}


@pytest.fixture
def ethereum_chain() -> MadeChain:
    return MadeChain(first=21_000_000, head=21_000_400, begin_s=NOW_MS // 1000 - 5_000, every_s=12, prefix="0x")


@pytest.fixture
def bitcoin_chain() -> MadeChain:
    return MadeChain(first=900_000, head=900_040, begin_s=NOW_MS // 1000 - 30_000, every_s=600)


@pytest.fixture
def ethereum(ethereum_chain: MadeChain) -> Iterator[FakeEthereum]:
    with FakeEthereum(chain=ethereum_chain) as fake:
        yield fake


@pytest.fixture
def bitcoin(bitcoin_chain: MadeChain) -> Iterator[FakeBitcoin]:
    with FakeBitcoin(chain=bitcoin_chain) as fake:
        yield fake


@pytest.fixture
def followed(ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> Followed:
    return Followed(NodeSettings(ethereum_rpc_urls=(ethereum.url,), bitcoin_api_urls=(f"{bitcoin.url}/api",)))
