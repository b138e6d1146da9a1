"""Blocks and networks through the whole chain: nodes, cache, the embedded Hub, and the API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.asgi import create_app_with
from api.engine.create import create_engine
from datahub_assets.datasets.blocks.spec import BLOCKS
from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.datasets.ledgers import gaps_of
from datahub_assets.datasets.network.spec import NETWORK
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.stores.recovery.rebuild import rebuild
from tests.dataset_settings import changed
from tests.defs.conftest import NOON_MS, Bench
from tests.defs.test_new_chains import rows_of, wait_for
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.nodes.ethereum import UNFINAL

MINUTE_MS = 60_000


@dataclass
class Followed:
    """The bench with a node of each chain beside it."""

    bench: Bench
    ethereum: FakeEthereum
    bitcoin: FakeBitcoin

    def run(self, *, minutes: int = 1) -> None:
        self.bench.clock.advance(minutes * MINUTE_MS)
        assert self.bench.run(BLOCKS).success

    def serve(self) -> TestClient[Litestar]:
        settings = self.bench.datahub.settings
        client = TestClient(create_app_with(settings, create_engine(settings)))
        client.headers["Authorization"] = f"Bearer {settings.owner_token()}"
        return client

    def gaps(self) -> list[dict[str, Any]]:
        """The lines of the ledger that is published, in order."""
        hub, ledger = self.bench.hub, gaps_of(BLOCKS)
        assert ledger is not None
        content = hub.read(BLOCKS, ledger.path, revision=hub.head(BLOCKS))
        return pl.read_parquet(content).sort("first_number").to_dicts()


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
    with followed.serve() as client:
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


def told(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["first_number"], one["last_number"], one["cause"], one["healed_at"] is not None) for one in lines]


def leave_out(followed: Followed, numbers: Sequence[int]) -> None:
    """Let the chain go on past blocks that fail their checks, until those after them are final."""
    for number in numbers:
        followed.ethereum.set_block(number=number, fields={"gasUsed": "many"})
    followed.ethereum.grow(blocks=UNFINAL + len(numbers) + 2)
    followed.run(minutes=14)
    followed.ethereum.grow(blocks=1)
    followed.run()


def test_a_hole_is_a_gap_by_number_until_it_is_filled(followed: Followed) -> None:
    followed.run()
    first = followed.ethereum.chain.head + 1
    leave_out(followed, (first, first + 1))
    assert told(followed.gaps()) == [(number, number, "quarantined", False) for number in (first, first + 1)]
    line = followed.gaps()[0]
    assert (line["dataset"], line["series"], line["missing"]) == ("blocks", '{"chain":"ethereum"}', 1)
    assert (line["first_time"], line["last_time"]) == (None, None)
    with followed.serve() as client:
        wait_for(client, "/api/hub/blocks")
        (other, one) = client.get("/api/hub/coverage?dataset=blocks").json()["series"]
        assert (other["series"], other["gaps"], other["expected"]) == ("bitcoin", [], other["rows"])
        assert (one["series"], one["expected"] - one["rows"]) == ("ethereum", 2)
        assert [(gap["first_number"], gap["last_number"], gap["first_time"]) for gap in one["gaps"]] == [
            (first, first, None),
            (first + 1, first + 1, None),
        ]
        query = (
            "SELECT dataset, min(first_number) AS first, sum(missing) AS missing, max(first_time) AS time FROM gaps "
            "GROUP BY 1"
        )
        assert client.get("/api/hub/sql", params={"q": query}).json() == [
            {"dataset": "blocks", "first": first, "missing": 2, "time": None}
        ]
    followed.ethereum.changes = {first: None}
    followed.run(minutes=11)
    assert told(followed.gaps()) == [
        (first, first, "exchange_had_none", False),
        (first + 1, first + 1, "quarantined", True),
    ]
    followed.ethereum.changes.clear()
    followed.run(minutes=70)
    assert told(followed.gaps()) == [
        (first, first, "exchange_had_none", True),
        (first + 1, first + 1, "quarantined", True),
    ]
    numbers = rows_of(followed.bench, BLOCKS).filter(chain="ethereum")["number"].sort().to_list()
    assert numbers == list(range(numbers[0], followed.ethereum.chain.head + 1))


def test_a_block_that_no_node_has_any_more_is_asked_for_more_rarely(followed: Followed) -> None:
    followed.run()
    hole = followed.ethereum.chain.head + 1
    leave_out(followed, (hole,))
    followed.ethereum.changes = {hole: None}
    asked = 0
    for minutes in (1, 11, 1, 1, 61):
        before = len(followed.ethereum.requests)
        followed.run(minutes=minutes)
        asked += sum(hex(hole).encode() in request.body for request in followed.ethereum.requests[before:])
    assert told(followed.gaps()) == [(hole, hole, "exchange_had_none", False)]
    assert asked == 2
    head = followed.ethereum.chain.head
    followed.ethereum.grow()
    followed.run()
    assert head + 1 in rows_of(followed.bench, BLOCKS).filter(chain="ethereum")["number"], "the chain goes on"


def test_a_cache_made_anew_knows_the_gaps_of_before(followed: Followed) -> None:
    followed.run()
    hole = followed.ethereum.chain.head + 1
    leave_out(followed, (hole,))
    before = followed.gaps()
    settings = followed.bench.datahub.settings
    rebuild(
        settings.cache_path,
        (BLOCKS,),
        hub=followed.bench.hub,
        landing=settings.landing_path,
        now_ms=followed.bench.clock.now_ms(),
    )
    followed.run()
    with followed.bench.datahub.cache() as cache:
        (gap,) = cache.gaps(BLOCKS).coverages()["ethereum",].gaps
    assert (gap.first_time, gap.last_time, gap.cause) == (hole, hole, "quarantined")
    assert [(one["first_number"], one["first_seen"]) for one in followed.gaps()] == [(hole, before[0]["first_seen"])]
