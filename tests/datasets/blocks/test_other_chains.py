"""Nodes of another chain, such as a testnet whose URL was given by mistake: told by name, and not believed."""

from urllib.parse import urlsplit

import pytest

from datahub_assets.datasets.blocks import doctor
from datahub_assets.domain.errors import SourceError, SourceRejected, SourceUnavailable
from datahub_assets.sources.nodes.chain_proofs import NOTE
from tests.datasets.blocks.conftest import Followed
from tests.datasets.blocks.test_network import fetch, rows
from tests.fakes.nodes import FakeBitcoin, FakeEthereum, MadeChain
from tests.fakes.nodes.bitcoin import TESTNET
from tests.fakes.nodes.ethereum import SEPOLIA
from tests.fakes.upstream import Upstream


def chain_questions(fake: Upstream) -> int:
    """How often the node was asked which chain it is of."""
    return sum(b"eth_chainId" in one.body or one.path.endswith("/block-height/0") for one in fake.requests)


def test_no_row_of_a_testnet_lands(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    ethereum.set_chain(chain_id=SEPOLIA)
    fetched = followed.fetch()
    assert (len(followed.of("ethereum")), len(followed.of("bitcoin"))) == (0, 6)
    error = fetched.failed[("ethereum",)]
    assert isinstance(error, SourceRejected)
    at = urlsplit(ethereum.url).netloc
    assert f"{at} is a node of chain 11155111, not of 1: it is not believed" in str(error)
    ethereum.set_chain(chain_id=1)
    bitcoin.set_chain(genesis=TESTNET)
    followed.notes.clear()
    fetched = followed.fetch()
    assert TESTNET in str(fetched.failed[("bitcoin",)])
    assert (len(followed.of("ethereum")), len(followed.of("bitcoin"))) == (65, 6)


def test_the_next_node_is_asked_in_its_place(
    followed: Followed, ethereum: FakeEthereum, ethereum_chain: MadeChain
) -> None:
    with FakeEthereum(chain=MadeChain(first=0, head=30_000_000, begin_s=0, every_s=12, prefix="0x")) as testnet:
        testnet.set_chain(chain_id=SEPOLIA)
        followed.settings = followed.settings.model_copy(update={"ethereum_rpc_urls": (testnet.url, ethereum.url)})
        fetched = followed.fetch()
        assert [request.body.count(b"eth_chainId") for request in testnet.requests] == [1], "nothing else is asked"
    assert max(followed.of("ethereum")) == ethereum_chain.head, "a testnet's head makes no other node late"
    assert set(fetched.failed) == {("ethereum", urlsplit(testnet.url).netloc)}


def test_it_is_asked_once_an_hour(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    for _ in range(60):
        followed.fetch()
    assert (chain_questions(ethereum), chain_questions(bitcoin)) == (1, 1)
    followed.fetch()
    assert (chain_questions(ethereum), chain_questions(bitcoin)) == (2, 2)


@pytest.mark.parametrize("noted", [None, [], {"a": 1}, {"a": ["1"]}, {"a": [1, "1"]}])
def test_a_note_of_another_form_says_nothing(followed: Followed, ethereum: FakeEthereum, noted: object) -> None:
    followed.notes[NOTE] = noted
    followed.fetch()
    assert chain_questions(ethereum) == 1


def test_a_node_that_does_not_say_is_not_believed(followed: Followed, ethereum: FakeEthereum) -> None:
    ethereum.fail("rpc_error")
    assert "missing trie node" in str(followed.fetch().failed[("ethereum",)])
    assert not followed.of("ethereum")
    followed.fetch()
    assert followed.of("ethereum"), "it is asked again"


def test_networks_of_another_chain(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    bitcoin.set_chain(genesis=TESTNET)
    fetched = fetch(followed)
    assert set(rows(fetched)) == {"ethereum"}
    assert isinstance(fetched.failed[("bitcoin",)], SourceRejected)
    ethereum.set_chain(chain_id=SEPOLIA)
    with pytest.raises(SourceError):
        fetch(followed)


def test_the_doctor_asks_nodes_of_both_chains(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    one, other = urlsplit(ethereum.url).netloc, urlsplit(bitcoin.url).netloc
    assert doctor.look(followed.settings) == (
        f"ethereum: {one} is at block 21,000,400; bitcoin: {other} is at block 900,040"
    )
    bitcoin.set_chain(genesis=TESTNET)
    with pytest.raises(SourceUnavailable, match=f"21,000,400; bitcoin: {other} is a node of chain {TESTNET}"):
        doctor.look(followed.settings)
    bitcoin.recover()
    ethereum.fail("server_error", times=None)
    with pytest.raises(SourceUnavailable, match=r"ethereum: 127\.0\.0\.1:\d+ answered 503"):
        doctor.look(followed.settings)
