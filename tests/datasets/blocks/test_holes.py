"""Blocks that are missing between stored ones: asked of each node in turn, taken only where they fit."""

from urllib.parse import urlsplit

import polars as pl
import pytest

from datahub_assets.datasets.blocks.client.fetch import MOST_BLOCKS
from tests.datasets.blocks.conftest import Followed
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain


@pytest.fixture
def hole(followed: Followed, ethereum: FakeEthereum) -> int:
    """A block that is missing from what is stored, far below the newest final one."""
    followed.fetch()
    ethereum.grow(blocks=90)
    followed.fetch()
    number = ethereum.chain.head - 120
    followed.rows = followed.rows.filter((pl.col("chain") != "ethereum") | (pl.col("number") != number))
    followed.missing = {"ethereum": [number]}
    return number


def test_what_one_node_does_not_have_the_next_one_gives(
    followed: Followed, ethereum: FakeEthereum, ethereum_chain: MadeChain, hole: int
) -> None:
    with FakeEthereum(chain=ethereum_chain) as good:
        followed.settings = followed.settings.model_copy(update={"ethereum_rpc_urls": (ethereum.url, good.url)})
        ethereum.set_block(number=hole, fields=None)
        followed.fetch()
    row = followed.of("ethereum")[hole]
    assert (row["provider"], row["finalized"]) == (urlsplit(good.url).netloc, True)
    assert followed.asked.came["ethereum"] == {hole: True}


def test_what_no_node_has_keeps_no_new_block_away(followed: Followed, ethereum: FakeEthereum, hole: int) -> None:
    ethereum.set_block(number=hole, fields=None)
    ethereum.grow(blocks=2)
    fetched = followed.fetch()
    assert followed.asked.came["ethereum"] == {hole: False}
    assert max(followed.of("ethereum")) == ethereum.chain.head
    assert not fetched.failed


def test_a_block_that_does_not_follow_the_stored_one_is_not_taken(
    followed: Followed, ethereum: FakeEthereum, hole: int
) -> None:
    ethereum.set_block(number=hole, fields={"parentHash": "0x" + 64 * "1"})
    fetched = followed.fetch()
    assert hole not in followed.of("ethereum")
    assert "does not follow the stored one" in str(fetched.failed["ethereum", str(hole), urlsplit(ethereum.url).netloc])
    assert followed.asked.came["ethereum"] == {}, "that is no answer"


def test_no_more_are_asked_for_than_there_is_room_for(
    followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin
) -> None:
    followed.fetch()
    ethereum.grow(blocks=5)
    bitcoin.grow()
    first = ethereum.chain.first
    followed.missing = {"ethereum": list(range(first, first + 300))}
    asked = len(ethereum.requests)
    followed.fetch()
    assert len(followed.asked.came["ethereum"]) == MOST_BLOCKS - 5
    assert len(ethereum.requests) - asked <= 120
    assert followed.asked.came["bitcoin"] == {}
