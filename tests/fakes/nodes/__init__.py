"""Nodes of blockchains that tell one made chain each, grow, reorganise, lag and misbehave on command.

chain                   the made blocks of one chain
ethereum                a node that is called by JSON-RPC
bitcoin                 an explorer: mempool.space's API, or Esplora's alone
"""

from tests.fakes.nodes.bitcoin import FakeBitcoin
from tests.fakes.nodes.chain import MadeChain
from tests.fakes.nodes.ethereum import FakeEthereum

__all__ = ["FakeBitcoin", "FakeEthereum", "MadeChain"]
