"""Following two chains: where it begins, what is new, what becomes final, and what is replaced."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from datahub_assets.domain.errors import SourceError, SourceUnavailable
from tests.datasets.blocks.conftest import Followed
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.nodes.ethereum import UNFINAL


def hashes(followed: Followed, chain: str, made: MadeChain) -> dict[int, bool]:
    """Of each stored block whether it is the one of the chain."""
    found = {}
    for number, row in followed.of(chain).items():
        block = made.block(number)
        found[number] = block is not None and (row["hash"], row["parent_hash"]) == (block.hash, block.parent_hash)
    return found


def test_it_begins_at_the_newest_final_block_and_goes_to_the_head(followed: Followed, ethereum: FakeEthereum) -> None:
    followed.fetch()
    head = ethereum.chain.head
    assert list(followed.of("ethereum")) == list(range(head - UNFINAL, head + 1))
    assert list(followed.of("bitcoin")) == list(range(900_035, 900_041))
    assert [number for number, row in followed.of("bitcoin").items() if row["finalized"]] == [900_035]
    assert [number for number, row in followed.of("ethereum").items() if row["finalized"]] == [head - UNFINAL]


def test_what_is_new_is_asked_for_and_what_is_deep_enough_becomes_final(
    followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin
) -> None:
    followed.fetch()
    for _ in range(3):
        ethereum.grow(blocks=5)
        bitcoin.grow(blocks=1)
        asked = len(ethereum.requests)
        followed.fetch()
        assert len(ethereum.requests) - asked == 2 + 5, "the head, the final block, and the new ones"
    blocks = followed.of("ethereum")
    assert all(hashes(followed, "ethereum", ethereum.chain).values())
    assert all(hashes(followed, "bitcoin", bitcoin.chain).values())
    assert [number for number, row in blocks.items() if not row["finalized"]] == list(blocks)[-UNFINAL:]
    assert [number for number, row in followed.of("bitcoin").items() if row["finalized"]] == [*range(900_035, 900_039)]


@pytest.mark.parametrize("deep", [1, 3, 40])
@pytest.mark.parametrize("grown", [0, 1, 6])
def test_blocks_that_were_replaced_are_asked_for_again(
    followed: Followed, ethereum: FakeEthereum, deep: int, grown: int
) -> None:
    followed.fetch()
    ethereum.replace(blocks=deep)
    ethereum.grow(blocks=grown)
    followed.fetch()
    assert all(hashes(followed, "ethereum", ethereum.chain).values())
    assert max(followed.of("ethereum")) == ethereum.chain.head


def test_a_reorganisation_below_the_final_block_is_told(followed: Followed, ethereum: FakeEthereum) -> None:
    followed.fetch()
    ethereum.replace(blocks=UNFINAL + 2)
    ethereum.grow()
    fetched = followed.fetch()
    assert "final" in str(fetched.failed["ethereum", "reorganisation"])
    assert all(hashes(followed, "ethereum", ethereum.chain).values())


def test_catching_up_and_following_a_reorganisation_down_stay_within_the_bound_together(
    followed: Followed, ethereum: FakeEthereum
) -> None:
    followed.fetch()
    ethereum.replace(blocks=UNFINAL)
    ethereum.grow(blocks=250)
    while max(followed.of("ethereum")) < ethereum.chain.head:
        asked = len(ethereum.requests)
        followed.fetch()
        assert len(ethereum.requests) - asked <= 120
    assert all(hashes(followed, "ethereum", ethereum.chain).values())


def test_after_a_long_time_it_catches_up_in_order(followed: Followed, ethereum: FakeEthereum) -> None:
    followed.fetch()
    ethereum.grow(blocks=250)
    seen = []
    while max(followed.of("ethereum")) < ethereum.chain.head:
        asked = len(ethereum.requests)
        followed.fetch()
        seen.append(len(ethereum.requests) - asked)
        numbers = list(followed.of("ethereum"))
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert max(seen) <= 120
    assert all(hashes(followed, "ethereum", ethereum.chain).values())


def test_a_node_that_is_behind_is_not_believed(
    followed: Followed, ethereum: FakeEthereum, ethereum_chain: MadeChain
) -> None:
    with FakeEthereum(chain=ethereum_chain) as late:
        late.set_lag(blocks=10)
        followed.settings = followed.settings.model_copy(update={"ethereum_rpc_urls": (late.url, ethereum.url)})
        fetched = followed.fetch()
        assert max(followed.of("ethereum")) == ethereum_chain.head
        assert "10 blocks behind" in str(fetched.failed["ethereum", urlsplit(late.url).netloc])
        ethereum.fail("server_error", times=None)
        with_old = followed.fetch()
    assert ("ethereum",) in with_old.failed, "alone it is behind what is stored"


def test_the_other_chain_goes_on(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    ethereum.fail("dropped", times=None)
    bitcoin.fail("server_error", times=None)
    with pytest.raises(SourceError):
        followed.fetch()
    bitcoin.recover()
    fetched = followed.fetch()
    assert isinstance(fetched.failed[("ethereum",)], SourceUnavailable)
    assert followed.of("bitcoin")


@pytest.mark.parametrize(
    ("fault", "details"),
    [
        ("rpc_error", {}),
        ("rpc_error", {"code": -32002, "message": "timeout"}),
        ("rpc_error", {"code": 3, "message": "execution reverted"}),
        ("html", {}),
        ("cut_json", {}),
        ("dropped", {}),
        ("body", {"text": "[]"}),
        ("body", {"text": '{"jsonrpc":"2.0","id":999,"result":"0x1"}'}),
        ("body", {"text": '{"jsonrpc":"2.0","id":1}'}),
    ],
)
def test_the_next_node_is_asked_where_one_fails(
    followed: Followed, ethereum: FakeEthereum, ethereum_chain: MadeChain, fault: str, details: dict[str, Any]
) -> None:
    with FakeEthereum(chain=ethereum_chain) as good:
        followed.settings = followed.settings.model_copy(update={"ethereum_rpc_urls": (ethereum.url, good.url)})
        ethereum.fail(fault, times=None, **details)
        followed.fetch()
    assert max(followed.of("ethereum")) == ethereum_chain.head


def test_a_block_no_node_knows_yet_is_left_for_later(followed: Followed, ethereum: FakeEthereum) -> None:
    followed.fetch()
    ethereum.grow(blocks=3)
    missing = ethereum.chain.head - 1
    ethereum.set_block(number=missing, fields=None)
    fetched = followed.fetch()
    assert f"does not have block {missing}" in str(fetched.failed["ethereum", str(missing)])
    assert max(followed.of("ethereum")) == missing - 1
    ethereum.changes.clear()
    followed.fetch()
    assert max(followed.of("ethereum")) == ethereum.chain.head


def test_a_block_that_fails_its_check_is_asked_for_again(followed: Followed, ethereum: FakeEthereum) -> None:
    followed.fetch()
    ethereum.grow(blocks=3)
    bad = ethereum.chain.head - 1
    ethereum.set_block(number=bad, fields={"gasUsed": "many"})
    fetched = followed.fetch()
    assert [one.reason for one in fetched.checked.rejected] == ["gasUsed is not a hexadecimal number: 'many'"]
    assert bad not in followed.of("ethereum")
    ethereum.changes.clear()
    followed.fetch()
    assert bad in followed.of("ethereum")


def test_an_explorer_without_extras_says_less(followed: Followed, bitcoin: FakeBitcoin) -> None:
    bitcoin.extras = False
    followed.fetch()
    assert {(row["fees"], row["reward"], row["miner_or_pool"]) for row in followed.of("bitcoin").values()} == {
        (None, None, None)
    }
