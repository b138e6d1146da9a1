"""Fees and load of two networks, from nodes that may be wrong."""

import json

import pytest

from datahub_assets.datasets.network.client import fetch_network
from datahub_assets.domain.errors import SourceError
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched
from tests.datasets.blocks.conftest import LOG, NOW_MS, Followed
from tests.fakes.nodes import FakeBitcoin, FakeEthereum


def fetch(followed: Followed) -> Fetched:
    return fetch_network(followed.settings, clock=lambda: NOW_MS, log=LOG, backoff=Backoff(attempts=1))


def rows(fetched: Fetched) -> dict[str, dict[str, object]]:
    return {row["chain"]: row for row in fetched.checked.frame.iter_rows(named=True)}


def test_a_row_of_each_network(followed: Followed) -> None:
    found = rows(fetch(followed))
    bitcoin, ethereum = found["bitcoin"], found["ethereum"]
    assert (bitcoin["fee_fastest"], bitcoin["fee_minimum"], bitcoin["mempool_vsize"]) == (9, 1, 1_891_542)
    assert (bitcoin["difficulty"], bitcoin["hashrate"], bitcoin["block_number"]) == (9.1e13, 6.5e20, 900_040)
    assert bitcoin["base_fee_gwei"] is None
    tips = [ethereum[f"priority_fee_p{percent}_gwei"] for percent in (10, 50, 90)]
    assert tips == pytest.approx([0.02, 0.06, 0.1])
    assert ethereum["base_fee_gwei"] == pytest.approx(1 + (21_000_401 % 7) / 10)
    assert ethereum["mempool_count"] is None


def test_an_explorer_without_extras_tells_of_its_mempool_alone(followed: Followed, bitcoin: FakeBitcoin) -> None:
    bitcoin.extras = False
    found = rows(fetch(followed))["bitcoin"]
    assert (found["mempool_count"], found["fee_fastest"], found["hashrate"]) == (3169, None, None)


def test_the_other_network_goes_on(followed: Followed, ethereum: FakeEthereum, bitcoin: FakeBitcoin) -> None:
    ethereum.fail("rpc_error", times=None)
    fetched = fetch(followed)
    assert set(rows(fetched)) == {"bitcoin"}
    assert "missing trie node" in str(fetched.failed[("ethereum",)])
    bitcoin.fail("server_error", times=None)
    with pytest.raises(SourceError):
        fetch(followed)


@pytest.mark.parametrize(
    "result",
    [
        {"baseFeePerGas": []},
        {"baseFeePerGas": ["1"]},
        {"baseFeePerGas": ["0xzz"]},
        {"baseFeePerGas": "0x1"},
        {"baseFeePerGas": ["0x1"], "reward": [["0x1"]]},
        [],
    ],
)
def test_nonsense_is_set_aside(followed: Followed, ethereum: FakeEthereum, result: object) -> None:
    for number, said in enumerate(("0x1", "0x1406f40", result), start=1):
        ethereum.fail("body", text=json.dumps({"jsonrpc": "2.0", "id": number, "result": said}))
    fetched = fetch(followed)
    assert [one.subject for one in fetched.checked.rejected] == ["ethereum"]
    assert set(rows(fetched)) == {"bitcoin"}
