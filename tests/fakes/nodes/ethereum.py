"""A fake Ethereum node: eth_chainId, eth_blockNumber, eth_getBlockByNumber, eth_feeHistory, and errors within HTTP 200.

Shapes after the execution-apis specification; errors as public nodes were seen to give them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.fakes.clock import Clock
from tests.fakes.faults import Breakage
from tests.fakes.nodes.chain import MadeBlock, MadeChain
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import DOOR, Upstream

UNFINAL: Final = 64
MAINNET: Final = 1
SEPOLIA: Final = 11_155_111


class FakeEthereum(Upstream):
    """A node of the chain, `lag` blocks behind it. A refused batch is an error that is no list."""

    commands = (*Upstream.commands, "grow", "replace", "set_lag", "set_block", "set_chain")

    def __init__(self, *, chain: MadeChain, clock: Clock | None = None, port: int = 0) -> None:
        super().__init__(clock=clock, port=port)
        self.chain = chain
        self.lag = 0
        self.chain_id = MAINNET
        self.changes: dict[int, dict[str, Any] | None] = {}

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """An error in an answer with status 200, an answer that says there is nothing, and one to another call."""
        return {"rpc_error": _rpc_error, "null_result": _null_result, "other_call": _other_call}

    def grow(self, *, blocks: int = 1) -> None:
        """So many blocks more."""
        self.chain.grow(blocks)

    def replace(self, *, blocks: int) -> None:
        """Other blocks take the places of the newest ones."""
        self.chain.replace(blocks)

    def set_lag(self, *, blocks: int) -> None:
        """Know so many blocks fewer."""
        self.lag = blocks

    def set_chain(self, *, chain_id: int) -> None:
        """Be a node of the chain with this number."""
        self.chain_id = chain_id

    def set_block(self, *, number: int, fields: dict[str, Any] | None) -> None:
        """Answer with these fields for a block, whatever they hold; None: do not know it."""
        self.changes[number] = fields

    def _handle(self, request: Request) -> Answer:
        """A call is known by its method, as if that were its path: faults and counts ask for it."""
        if request.path.startswith(DOOR):
            return super()._handle(request)
        asked = json.loads(request.body)
        return super()._handle(replace(request, path="/batch" if isinstance(asked, list) else f"/{asked['method']}"))

    def route(self, request: Request) -> Answer:
        """Answer one call."""
        asked = json.loads(request.body)
        if isinstance(asked, list):
            return _error(None, -32600, "batches are refused")
        head, params = self.chain.head - self.lag, asked["params"]
        match asked["method"]:
            case "eth_chainId":
                result: Any = hex(self.chain_id)
            case "eth_blockNumber":
                result = hex(head)
            case "eth_getBlockByNumber":
                named = {"latest": head, "finalized": max(self.chain.first, head - UNFINAL)}
                result = self._block(named[params[0]] if params[0] in named else int(params[0], 16), head)
            case "eth_feeHistory":
                result = self._fees(int(params[0], 16), params[2], head)
            case method:
                return _error(asked["id"], -32601, f"the method {method} does not exist")
        return Answer.of({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    def _block(self, number: int, head: int) -> dict[str, Any] | None:
        block = self.chain.block(number) if number <= head else None
        if block is None or self.changes.get(number, {}) is None:
            return None
        return {**_shape(block), **(self.changes.get(number) or {})}

    def _fees(self, count: int, percentiles: list[float], head: int) -> dict[str, Any]:
        oldest = max(self.chain.first, head - count + 1)
        numbers = range(oldest, head + 1)
        return {
            "oldestBlock": hex(oldest),
            "baseFeePerGas": [hex(10**9 + number % 7 * 10**8) for number in [*numbers, head + 1]],
            "gasUsedRatio": [0.5 for _ in numbers],
            "reward": [[hex(10**7 + round(one) * 10**6) for one in percentiles] for _ in numbers],
        }


def _shape(block: MadeBlock) -> dict[str, Any]:
    count = block.number % 5 + block.fork
    return {
        "number": hex(block.number),
        "timestamp": hex(block.time_s),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "transactions": ["0x" + f"{index:064x}" for index in range(count)],
        "size": hex(20_000 + block.number % 1000),
        "gasUsed": hex(15_000_000 + block.number % 1000),
        "gasLimit": hex(36_000_000),
        "baseFeePerGas": hex(10**9 + block.number % 7 * 10**8),
        "miner": "0x" + f"{block.number % 9:040x}",
    }


def _error(number: object, code: int, message: str) -> Answer:
    return Answer.of({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}})


def _rpc_error(code: int = -32000, message: str = "missing trie node") -> Breakage:
    def broken(answer: Answer) -> Answer:
        asked = json.loads(answer.body).get("id")
        return replace(_error(asked, code, message), delay_s=answer.delay_s)

    return broken


def _null_result() -> Breakage:
    return lambda answer: replace(answer, body=json.dumps({**json.loads(answer.body), "result": None}).encode())


def _other_call() -> Breakage:
    return lambda answer: replace(answer, body=json.dumps({**json.loads(answer.body), "id": 999}).encode())
