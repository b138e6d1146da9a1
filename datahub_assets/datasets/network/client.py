"""One fetch of what nodes tell of both networks."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from datahub_assets.datasets.followed_chains import NodeSettings
from datahub_assets.datasets.items import check_items
from datahub_assets.datasets.network.rows import network_row
from datahub_assets.datasets.network.spec import BITCOIN, BLOCKS_LOOKED_AT, ETHEREUM, NETWORK, PERCENTILES
from datahub_assets.domain.errors import SourceError, SourceMalformed
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.nodes.belief import Node, believed, first_of
from datahub_assets.sources.nodes.bitcoin import Esplora
from datahub_assets.sources.nodes.json_rpc import JsonRpc, quantity

Item = Mapping[str, object]


class _NetworkNode(Node, Protocol):
    async def told(self, head: int) -> Item: ...


_BEHIND: Final = {ETHEREUM: 3, BITCOIN: 1}


class _Ethereum:
    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.host = urlsplit(url).hostname or url
        self._node = JsonRpc(http, url, clock=clock)
        self._backoff = backoff

    async def head(self) -> int:
        return quantity("eth_blockNumber", await self._call("eth_blockNumber"))

    async def told(self, head: int) -> Item:
        fees = await self._call("eth_feeHistory", hex(BLOCKS_LOOKED_AT), "latest", list(PERCENTILES))
        return {"chain": ETHEREUM, "host": self.host, "head": head, "fees": fees}

    async def _call(self, method: str, *params: object) -> object:
        return await self._backoff.run(lambda: self._node.call(method, *params))


class _Bitcoin:
    def __init__(self, http: Http, url: str, *, clock: Callable[[], int], backoff: Backoff) -> None:
        self.host = urlsplit(url).hostname or url
        self._api = Esplora(http, url, clock=clock)
        self._backoff = backoff

    async def head(self) -> int:
        value = await self._backoff.run(lambda: self._api.get("/blocks/tip/height"))
        if type(value) is not int or value < 0:
            raise SourceMalformed(f"{self.host} answered no height: {value!r:.80}")
        return value

    async def told(self, head: int) -> Item:
        paths = {"fees": "/v1/fees/recommended", "mempool": "/mempool", "hashrate": "/v1/mining/hashrate/3d"}
        found = {what: await self._backoff.run(lambda path=path: self._api.find(path)) for what, path in paths.items()}  # type: ignore[misc]
        return {"chain": BITCOIN, "host": self.host, "head": head, **found}


def fetch_network(
    settings: NodeSettings,
    *,
    clock: Callable[[], int],
    log: logging.Logger,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask a node of each chain how it is; runs an event loop of its own.

    Raises:
        SourceError: neither chain could be asked.
    """
    started = time.perf_counter()
    items, failed, requests = asyncio.run(_ask(settings, clock=clock, backoff=backoff or Backoff(attempts=2)))
    if not items:
        raise next(iter(failed.values()))
    checked = check_items(NETWORK, items, network_row, named="chain", now_ms=clock())
    elapsed_s = time.perf_counter() - started
    log.info("fetched fees and load of %d networks in %.1f s", checked.frame.height, elapsed_s)
    report_rejected(checked.rejected, log=log)
    for named, error in failed.items():
        log.warning("%s: %s", " ".join(named), error)
    return Fetched(checked, requests=requests, elapsed_s=elapsed_s, failed=failed)


async def _ask(
    settings: NodeSettings, *, clock: Callable[[], int], backoff: Backoff
) -> tuple[list[Item], dict[tuple[str, ...], SourceError], int]:
    items: list[Item] = []
    failed: dict[tuple[str, ...], SourceError] = {}
    async with Http() as http:
        of_chain: dict[str, list[_NetworkNode]] = {
            ETHEREUM: [_Ethereum(http, url, clock=clock, backoff=backoff) for url in settings.ethereum_rpc_urls],
            BITCOIN: [_Bitcoin(http, url, clock=clock, backoff=backoff) for url in settings.bitcoin_api_urls],
        }
        for chain, nodes in of_chain.items():
            try:
                good = await believed(nodes, behind=_BEHIND[chain])
                item, gave_up = await first_of(good, lambda node, head: node.told(head))
            except SourceError as error:
                failed[(chain,)] = error
            else:
                items.append(item)
                failed |= {(chain, host): error for host, error in {**good.refused, **gave_up}.items()}
        return items, failed, http.requests
