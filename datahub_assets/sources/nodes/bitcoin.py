"""An explorer of Bitcoin that is asked by GET: mempool.space, or one that has only what Esplora has.

https://mempool.space/docs/api/rest and https://github.com/Blockstream/esplora/blob/master/API.md
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http, HttpReply

_HASH: Final = re.compile(rb"[0-9a-f]{64}")
MAINNET: Final = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
"""The hash of block 0 (Bitcoin Core, kernel/chainparams.cpp, hashGenesisBlock of CMainParams)."""


class BitcoinNode:
    """The explorer at a URL, which ends in `/api`. Requests are made again after a pause where that may help."""

    mainnet = MAINNET
    behind = 1
    """So many blocks a node may lack that another knows."""

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.url = url
        self.host = urlsplit(url).netloc or url
        self._http = http
        self._clock = clock
        self._backoff = backoff

    async def get(self, path: str) -> object:
        """What is there, decoded.

        Raises:
            SourceError: it cannot be had.
        """
        return self._there(await self._backoff.run(lambda: self._reply(path)), path).decoded()

    async def find(self, path: str) -> object | None:
        """What is there, decoded; None where there is nothing (404), as with what only mempool.space has.

        Raises:
            SourceError: it cannot be had.
        """
        reply = await self._backoff.run(lambda: self._reply(path))
        return None if reply is None else reply.decoded()

    async def chain(self) -> str:
        """The hash of its first block, which is answered as plain text. Raises SourceError."""
        path = "/block-height/0"
        reply = self._there(await self._backoff.run(lambda: self._reply(path)), path)
        if not _HASH.fullmatch(told := reply.content.strip().strip(b'"')):
            what = "HTML" if reply.is_html() else "no hash of its first block"
            raise SourceMalformed(f"{self.host} answered {what}: {reply.excerpt()}")
        return told.decode()

    async def head(self) -> int:
        """The number of the newest block it knows. Raises SourceError."""
        value = await self.get("/blocks/tip/height")
        if type(value) is not int or value < 0:
            raise SourceMalformed(f"{self.host} answered no height: {value!r:.80}")
        return value

    async def _reply(self, path: str) -> HttpReply | None:
        reply = await self._http.get(f"{self.url}{path}")
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if refusal := reply.refusal(now_ms=self._clock()):
            raise refusal
        return reply

    def _there(self, reply: HttpReply | None, path: str) -> HttpReply:
        if reply is None:
            raise SourceMalformed(f"{self.url}{path} is not there (404)")
        return reply
