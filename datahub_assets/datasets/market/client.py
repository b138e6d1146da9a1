"""CoinGecko's /coins/markets: the client, and the one fetch the `market_prices` asset does.

Limits and shapes of errors: CoinGecko's API documentation (docs.coingecko.com, "Common Errors & Rate Limit").
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from datahub_assets.datasets.market.collecting import (
    PAGE_SIZE,
    Collected,
    Query,
    collect,
    id_of,
    page_of_largest,
    shortfalls,
)
from datahub_assets.datasets.market.rows import check_markets
from datahub_assets.datasets.market.settings import MarketSettings
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceRateLimited
from datahub_assets.domain.spelling import nearest
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.fetched import Fetched, report_rejected, report_warnings
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

UNKNOWN: Final = "unknown_ids"
"""Note: the ids of the settings that CoinGecko does not know, and which known one each is most like."""
NOTHING: Final[Mapping[str, str | None]] = {}
_PRO_HOST: Final = "pro-api.coingecko.com"
_TOO_MANY: Final = 429


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
        self._base_url = base_url
        self._headers = key_header(base_url, api_key)
        self._clock = clock
        self._backoff = backoff

    async def page(self, query: Query) -> list[object]:
        """The items of one page of /coins/markets as decoded from JSON; empty past the end.

        Raises:
            SourceError: the page could not be fetched, retries included.
        """
        return await self._backoff.run(lambda: self._asked("/coins/markets", query))

    async def ids(self) -> list[str]:
        """The ids of all coins there are, or of the largest where the list of all cannot be had.

        Raises:
            SourceError: neither could be fetched.
        """
        try:
            items = await self._asked("/coins/list", {})
        except SourceError:
            items = await self._asked("/coins/markets", page_of_largest(PAGE_SIZE, number=1))
        return [coin_id for item in items if (coin_id := id_of(item)) is not None]

    async def _asked(self, path: str, query: Query) -> list[object]:
        reply = await self._http.get(self._base_url + path, params=query, headers=self._headers)
        if refusal := reply.refusal(now_ms=self._clock()):
            raise refusal
        value = reply.decoded()
        if isinstance(value, list):
            return value
        status = value.get("status") if isinstance(value, dict) else None
        if isinstance(status, dict) and status.get("error_code") == _TOO_MANY:
            raise SourceRateLimited(f"{reply.host} answered: {reply.excerpt()}")
        raise SourceMalformed(f"{reply.host} answered no list of coins: {reply.excerpt()}")


def unknown_ids(settings: MarketSettings, *, clock: Callable[[], int]) -> dict[str, str | None]:
    """The ids of the settings that CoinGecko does not know, and which known one each is most like.

    Raises:
        SourceError: it could not be asked.
    """
    collected, near, _ = asyncio.run(_told(settings, unknown=NOTHING, clock=clock, backoff=Backoff(attempts=1)))
    if collected.error is not None:
        raise collected.error
    return near


def fetch_prices(
    settings: MarketSettings,
    *,
    clock: Callable[[], int],
    log: logging.Logger,
    not_before_ms: int = 0,
    unknown: Mapping[str, str | None] = NOTHING,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask once for all coins of the settings; runs an event loop of its own.

    A page that fails ends the asking, and the pages before it are kept (see `Fetched.failed`).

    Args:
        settings: which coins, from where, with which key.
        clock: this machine's time, epoch milliseconds UTC.
        log: gets the lines a person follows.
        not_before_ms: `Fetched.pause_until_ms` of an earlier fetch; nothing is asked before.
        unknown: the note `UNKNOWN` of the fetch before: ids CoinGecko did not know, and which each is most like.
        backoff: attempts and pauses.

    Raises:
        SourceError: no page could be fetched.
    """
    upstream = settings.coingecko_base_url
    PAUSES.check(upstream, not_before_ms=not_before_ms, now_ms=clock())
    started = time.perf_counter()
    told = _told(settings, unknown=unknown, clock=clock, backoff=backoff or Backoff())
    collected, near, requests = asyncio.run(told)
    now_ms, error = clock(), collected.error
    failed: dict[tuple[str, ...], SourceError] = {} if error is None else {("page", str(collected.pages + 1)): error}
    pause_until_ms = _noted_pause(upstream, failed.values(), now_ms=now_ms)
    if error is not None and not collected.items:
        raise error
    checked = check_markets(collected.items, now_ms=now_ms)
    fetched = Fetched(
        checked=checked,
        requests=requests,
        elapsed_s=time.perf_counter() - started,
        failed=failed,
        pause_until_ms=pause_until_ms,
        warnings=() if failed else tuple(shortfalls(settings.coins, len(collected.found), checked, near)),
        notes={UNKNOWN: near},
    )
    _report(fetched, log=log)
    return fetched


async def _told(
    settings: MarketSettings, *, unknown: Mapping[str, str | None], clock: Callable[[], int], backoff: Backoff
) -> tuple[Collected, dict[str, str | None], int]:
    """What came, the ids that are unknown with what each is most like, and how many requests it took."""
    key = settings.coingecko_api_key
    async with Http() as http:
        client = CoinGecko(
            http,
            base_url=settings.coingecko_base_url,
            api_key=None if key is None else key.get_secret_value(),
            clock=clock,
            backoff=backoff,
        )
        collected = await collect(client.page, settings.coins, missing=unknown)
        near = await _nearest(client, collected.unknown, known=unknown) if collected.error is None else dict(unknown)
        return collected, near, http.requests


async def _nearest(
    client: CoinGecko, unknown: Sequence[str], *, known: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The id that each is most like. The list of all is large: it is asked for only where an id is newly unknown."""
    if all(coin_id in known for coin_id in unknown):
        return {coin_id: known[coin_id] for coin_id in unknown}
    try:
        ids = await client.ids()
    except SourceError:  # without a word of what is meant they are named all the same
        return dict.fromkeys(unknown)
    return {coin_id: None if coin_id in ids else nearest(coin_id, ids) for coin_id in unknown}


def _noted_pause(upstream: str, errors: Iterable[SourceError], *, now_ms: int) -> int | None:
    """Remember the pause asked for, if one was; until when it lasts."""
    for error in errors:
        if isinstance(error, SourceRateLimited) and error.retry_after_s is not None:
            PAUSES.note(upstream, until_ms=now_ms + round(1000 * error.retry_after_s), now_ms=now_ms)
    return PAUSES.until_ms(upstream, now_ms=now_ms)


def _report(fetched: Fetched, *, log: logging.Logger) -> None:
    log.info("fetched %d coins from CoinGecko in %.1f s", fetched.checked.frame.height, fetched.elapsed_s)
    report_rejected(fetched.checked.rejected, log=log)
    report_warnings(fetched.warnings, log=log)
    for (_, number), error in fetched.failed.items():
        log.warning("CoinGecko's pages from %s on are missing: %s", number, error)
