"""An explorer of Bitcoin, asked for blocks."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.datasets.blocks.rows import number_of
from datahub_assets.datasets.blocks.spec import BITCOIN
from datahub_assets.domain.errors import SourceMalformed, SourceUnavailable
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.bitcoin import Esplora

CONFIRMATIONS: Final = 6
"""A block counts as final once it and those on top of it are so many."""


class BitcoinNode:
    """The explorer at a URL. Blocks come by pages of 15 (mempool.space) or 10 (Esplora), the newest first."""

    chain = BITCOIN
    behind = 1

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.host = urlsplit(url).hostname or url
        self._api = Esplora(http, url, clock=clock)
        self._backoff = backoff
        self._seen: dict[int, object] = {}

    async def head(self) -> int:
        """The number of the newest block."""
        value = await self._backoff.run(lambda: self._api.get("/blocks/tip/height"))
        if type(value) is not int or value < 0:
            raise SourceMalformed(f"{self.host} answered no height: {value!r:.80}")
        return value

    async def newest_final(self, head: int) -> int:
        """The number of the newest block with enough on top of it."""
        return max(0, head + 1 - CONFIRMATIONS)

    async def block(self, number: int) -> object:
        """The block of that number; those of its page are remembered.

        Raises:
            SourceError: the explorer does not have it.
        """
        if number not in self._seen:
            page = await self._backoff.run(lambda: self._page(number))
            self._seen |= {found: block for block in page if (found := number_of(BITCOIN, block)) is not None}
        if number not in self._seen:
            raise SourceUnavailable(f"{self.host} does not have block {number}")
        return self._seen[number]

    async def _page(self, number: int) -> list[object]:
        page = await self._api.find(f"/v1/blocks/{number}")
        if page is None:
            page = await self._api.get(f"/blocks/{number}")
        if not isinstance(page, list):
            raise SourceMalformed(f"{self.host} answered no list of blocks but a {type(page).__name__}")
        return page
