"""CoinGecko's /coins/markets: the client, and the one fetch the `market_prices` asset does.

Limits and shapes of errors: CoinGecko's API documentation (docs.coingecko.com, "Common Errors & Rate Limit").
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.datasets.market.rows import check_markets
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceRateLimited
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

PAGE_SIZE: Final = 250
"""Most coins of a page; a larger wish is silently cut to this."""
_PRO_HOST: Final = "pro-api.coingecko.com"
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class CoinPage:
    """One request to make: its number from 1 on, and its query."""

    number: int
    params: Mapping[str, str | int]


def pages(coins: int | tuple[str, ...]) -> Iterator[CoinPage]:
    """The requests for the top N coins, or for a list of ids."""
    common: dict[str, str | int] = {"vs_currency": "usd", "order": "market_cap_desc", "precision": "full"}
    if isinstance(coins, int):
        size = min(coins, PAGE_SIZE)
        for number in range(1, -(-coins // PAGE_SIZE) + 1):
            yield CoinPage(number, {**common, "per_page": size, "page": number})
        return
    for number, start in enumerate(range(0, len(coins), PAGE_SIZE), start=1):
        ids = ",".join(coins[start : start + PAGE_SIZE])
        yield CoinPage(number, {**common, "ids": ids, "per_page": PAGE_SIZE, "page": 1})


def key_header(base_url: str, api_key: str | None) -> dict[str, str]:
    """The header that carries a key; demo and pro keys have one each, and pro keys a host of their own."""
    if api_key is None:
        return {}
    kind = "pro" if urlsplit(base_url).hostname == _PRO_HOST else "demo"
    return {f"x-cg-{kind}-api-key": api_key}


class CoinGecko:
    """The API at `base_url` (version included), with a key or without."""

    def __init__(
        self, http: Http, *, base_url: str, api_key: str | None, clock: Callable[[], int], backoff: Backoff
    ) -> None:
        self._http = http
        self._url = f"{base_url}/coins/markets"
        self._headers = key_header(base_url, api_key)
        self._clock = clock
        self._backoff = backoff

    async def page(self, page: CoinPage) -> list[object]:
        """The items of one page as decoded from JSON; empty past the end.

        Raises:
            SourceError: the page could not be fetched, retries included.
        """
        return await self._backoff.run(lambda: self._asked(page))

    async def _asked(self, page: CoinPage) -> list[object]:
        reply = await self._http.get(self._url, params=page.params, headers=self._headers)
        if refusal := reply.refusal(now_ms=self._clock()):
            raise refusal
        value = reply.decoded()
        if isinstance(value, list):
            return value
        status = value.get("status") if isinstance(value, dict) else None
        if isinstance(status, dict) and status.get("error_code") == _TOO_MANY:
            raise SourceRateLimited(f"{reply.host} answered: {reply.excerpt()}")
        raise SourceMalformed(f"{reply.host} answered no list of coins: {reply.excerpt()}")


def fetch_prices(
    settings: MarketSettings,
    *,
    clock: Callable[[], int],
    log: logging.Logger,
    not_before_ms: int = 0,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask once for all coins of the settings; runs an event loop of its own.

    A page that fails ends the asking, and the pages before it are kept (see `Fetched.failed`).

    Args:
        settings: which coins, from where, with which key.
        clock: this machine's time, epoch milliseconds UTC.
        log: gets the lines a person follows.
        not_before_ms: `Fetched.pause_until_ms` of an earlier fetch; nothing is asked before.
        backoff: attempts and pauses.

    Raises:
        SourceError: no page could be fetched.
    """
    upstream = settings.coingecko_base_url
    PAUSES.check(upstream, not_before_ms=not_before_ms, now_ms=clock())
    started = time.perf_counter()
    collected = asyncio.run(_collect(settings, clock=clock, backoff=backoff or Backoff()))
    now_ms = clock()
    fetched = Fetched(
        checked=check_markets(collected.items, now_ms=now_ms),
        requests=collected.requests,
        elapsed_s=time.perf_counter() - started,
        failed=collected.failed,
        pause_until_ms=_noted_pause(upstream, collected.failed.values(), now_ms=now_ms),
    )
    if collected.failed and not collected.items:
        raise next(iter(collected.failed.values()))
    _report(fetched, collected.items, wanted=settings.coins, log=log)
    return fetched


@dataclass(frozen=True, slots=True)
class _Collected:
    items: list[object]
    failed: dict[tuple[str, ...], SourceError]
    requests: int


async def _collect(settings: MarketSettings, *, clock: Callable[[], int], backoff: Backoff) -> _Collected:
    """All pages one after the other: keyless callers have few requests a minute, and a burst spends them."""
    coins, key = settings.coins, settings.coingecko_api_key
    items: list[object] = []
    failed: dict[tuple[str, ...], SourceError] = {}
    async with Http() as http:
        client = CoinGecko(
            http,
            base_url=settings.coingecko_base_url,
            api_key=None if key is None else key.get_secret_value(),
            clock=clock,
            backoff=backoff,
        )
        for page in pages(coins):
            try:
                found = await client.page(page)
                if not found and page.number == 1 and isinstance(coins, int):
                    raise SourceMalformed("CoinGecko answered an empty list for its largest coins")
            except SourceError as error:
                failed["page", str(page.number)] = error
                break
            items.extend(found)
            if isinstance(coins, int) and len(found) < PAGE_SIZE:
                break
    return _Collected(items[:coins] if isinstance(coins, int) else items, failed, http.requests)


def _noted_pause(upstream: str, errors: Iterable[SourceError], *, now_ms: int) -> int | None:
    """Remember the pause asked for, if one was; until when it lasts."""
    for error in errors:
        if isinstance(error, SourceRateLimited) and error.retry_after_s is not None:
            PAUSES.note(upstream, until_ms=now_ms + round(1000 * error.retry_after_s), now_ms=now_ms)
    return PAUSES.until_ms(upstream, now_ms=now_ms)


def _report(fetched: Fetched, items: list[object], *, wanted: int | tuple[str, ...], log: logging.Logger) -> None:
    log.info("fetched %d coins from CoinGecko in %.1f s", fetched.checked.frame.height, fetched.elapsed_s)
    report_rejected(fetched.checked.rejected, log=log)
    for (_, number), error in fetched.failed.items():
        log.warning("CoinGecko's pages from %s on are missing: %s", number, error)
    if isinstance(wanted, tuple) and not fetched.failed:
        seen = {item.get("id") for item in items if isinstance(item, dict)}
        if unknown := [coin_id for coin_id in wanted if coin_id not in seen]:
            log.warning("CoinGecko has no coin with the id %s", ", ".join(unknown))
