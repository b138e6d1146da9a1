"""Blocks and networks through the whole chain: nodes, cache, the embedded Hub, and the API."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from litestar.testing import TestClient

from api.asgi import create_app_with
from api.engine.create import create_engine
from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.datasets.network.spec import NETWORK
from datahub_assets.defs.resources import DataHubResource
from tests.dataset_settings import changed
from tests.defs.conftest import NOON_MS, Bench
from tests.defs.test_new_chains import rows_of, wait_for
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain

MINUTE_MS = 60_000


@dataclass
class Followed:
    """The bench with a node of each chain beside it."""

    bench: Bench
    ethereum: FakeEthereum
    bitcoin: FakeBitcoin

    def run(self) -> None:
        self.bench.clock.advance(MINUTE_MS)
        assert self.bench.run(BLOCKS).success


@pytest.fixture
def followed(bench: Bench) -> Iterator[Followed]:
    ethereum = MadeChain(first=21_000_000, head=21_000_100, begin_s=NOON_MS // 1000 - 1_300, every_s=12, prefix="0x")
    bitcoin = MadeChain(first=900_000, head=900_020, begin_s=NOON_MS // 1000 - 15_000, every_s=600)
    with FakeEthereum(chain=ethereum) as one, FakeBitcoin(chain=bitcoin) as other:
        settings = changed(
            bench.datahub.settings, NodeSettings, ethereum_rpc_urls=(one.url,), bitcoin_api_urls=(f"{other.url}/api",)
        )
        settings = settings.model_copy(
            update={"datasets": ("blocks", "network"), "poll_s": 0.1, "rate_limit_per_min": 0}
        )
        yield Followed(replace(bench, datahub=DataHubResource(settings, clock=bench.clock.now_ms)), one, other)


def test_a_replaced_block_is_a_correction_with_both_hashes(followed: Followed) -> None:
    followed.run()
    head = followed.ethereum.chain.head
    before = [followed.ethereum.chain.block(number) for number in (head - 1, head)]
    followed.ethereum.replace(blocks=2)
    followed.ethereum.grow()
    followed.run()
    after = [followed.ethereum.chain.block(number) for number in (head - 1, head)]
    with followed.bench.datahub.cache() as cache:
        lines = cache.database.rows(
            'SELECT key, "column", old, new FROM corrections WHERE dataset = ? ORDER BY key', ("blocks",)
        )
    assert lines == [
        (f'{{"chain":"ethereum","number":{old.number}}}', "hash", old.hash, new.hash)
        for old, new in zip(before, after, strict=True)
        if old is not None and new is not None
    ]
    assert len(lines) == 2


def test_each_block_is_published_once_and_becomes_final(followed: Followed) -> None:
    for _ in range(4):
        followed.run()
        followed.ethereum.grow(blocks=5)
        followed.bitcoin.grow()
    assert followed.bench.run(NETWORK).success
    rows = rows_of(followed.bench, BLOCKS)
    assert rows.select("chain", "number").is_unique().all()
    settings = followed.bench.datahub.settings
    with TestClient(create_app_with(settings, create_engine(settings))) as client:
        client.headers["Authorization"] = f"Bearer {settings.owner_token()}"
        for path in ("/api/hub/blocks", "/api/hub/network"):
            wait_for(client, path)
        found = client.get("/api/hub/blocks?chain=ETHEREUM&finalized_only=true&limit=1000").json()
        assert [row["number"] for row in found] == list(range(21_000_036, 21_000_052))
        newest = client.get("/api/hub/blocks?chain=bitcoin&limit=1").json()
        assert (newest[0]["number"], newest[0]["miner_or_pool"]) == (900_023, "Foundry USA")
        assert client.get("/api/hub/blocks?chain=dogecoin").json()["code"] == "unknown_chain"
        counted = client.get(
            "/api/hub/sql", params={"q": "SELECT chain, count(*) AS n FROM blocks GROUP BY 1 ORDER BY 1"}
        )
        assert counted.json() == [{"chain": "bitcoin", "n": 9}, {"chain": "ethereum", "n": 80}]
        assert {row["chain"] for row in client.get("/api/hub/network").json()} == {"bitcoin", "ethereum"}
