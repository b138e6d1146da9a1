"""A node that is called by JSON-RPC 2.0 over HTTP, as Ethereum's are (ethereum.org/developers/docs/apis/json-rpc)."""

from collections.abc import Callable, Mapping
from typing import Final

from datahub_assets.domain.errors import (
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRejected,
    SourceUnavailable,
)
from datahub_assets.sources.http import Http

_LIMITED: Final = frozenset({-32005, -32097, 429})
"""Codes by which nodes say that they were asked too often; -32005 is EIP-1474's."""
_WRONG: Final = frozenset({-32600, -32601, -32602, -32700})
"""Codes of JSON-RPC for a call that is wrong in itself."""


class JsonRpc:
    """The node at a URL. One call is one request: several in one are refused by many public nodes."""

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int]) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._calls = 0

    async def call(self, method: str, *params: object) -> object:
        """The result of a call; None where the node has none, such as of a block it does not know.

        Raises:
            SourceError: the node cannot be reached, or answers with an error, whichever HTTP status that has.
        """
        self._calls += 1
        asked = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": list(params)}
        reply = await self._http.post(self._url, asked)
        if refusal := reply.refusal(now_ms=self._clock()):
            raise refusal
        answer = reply.decoded()
        if not isinstance(answer, Mapping) or answer.get("id") != self._calls:
            raise SourceMalformed(f"{reply.host} gave no answer to call {self._calls}: {reply.excerpt()}")
        if (error := answer.get("error")) is not None:
            raise _error_of(error, f"{reply.host} refused {method}: {reply.excerpt()}")
        if "result" not in answer:
            raise SourceMalformed(f"{reply.host} answered {method} with neither result nor error: {reply.excerpt()}")
        return answer["result"]


def _error_of(error: object, said: str) -> SourceError:
    code = error.get("code") if isinstance(error, Mapping) else None
    if code in _LIMITED:
        return SourceRateLimited(said)
    return SourceRejected(said) if code in _WRONG else SourceUnavailable(said)


def quantity(name: str, value: object) -> int:
    """A number as nodes write it: hexadecimal text that begins with 0x.

    Raises:
        SourceMalformed: it is something else.
    """
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise SourceMalformed(f"{name} is no hexadecimal number: {value!r:.80}")
