"""An explorer of Bitcoin that is asked by GET: mempool.space, or one that has only what Esplora has.

https://mempool.space/docs/api/rest and https://github.com/Blockstream/esplora/blob/master/API.md
"""

from collections.abc import Callable
from http import HTTPStatus

from datahub_assets.domain.errors import SourceMalformed
from datahub_assets.sources.http import Http


class Esplora:
    """The explorer at a URL, which ends in `/api`."""

    def __init__(self, http: Http, url: str, *, clock: Callable[[], int]) -> None:
        self._http = http
        self._url = url
        self._clock = clock

    async def get(self, path: str) -> object:
        """What is there, decoded.

        Raises:
            SourceError: it cannot be had.
        """
        found = await self.find(path)
        if found is None:
            raise SourceMalformed(f"{self._url}{path} is not there (404)")
        return found

    async def find(self, path: str) -> object | None:
        """What is there, decoded; None where there is nothing (404), as with what only mempool.space has.

        Raises:
            SourceError: it cannot be had.
        """
        reply = await self._http.get(f"{self._url}{path}")
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if refusal := reply.refusal(now_ms=self._clock()):
            raise refusal
        return reply.decoded()
