"""Binance's spot market data: time, pairs and klines from whichever host answers.

Endpoints, weights and error codes: binance-spot-api-docs, rest-api.md and errors.md.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from datahub_assets.datasets.candles.client.hosts import Hosts
from datahub_assets.datasets.candles.client.request_weight import WeightBudget
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceUnavailable,
)
from datahub_assets.domain.times import DAY_MS
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

MOST_KLINES: Final = 1000
"""Most candles of one answer; a larger wish is silently cut to this."""
TRADING: Final = "TRADING"
"""The status of a pair that is traded now."""
_TIME: Final = ("/api/v3/time", 1)
_KLINES: Final = ("/api/v3/klines", 2)
_EXCHANGE_INFO: Final = ("/api/v3/exchangeInfo", 20)

Params = Mapping[str, str | int]
T = TypeVar("T")
Read = Callable[[object], T]
"""Takes what an answer holds out of its JSON, or raises SourceMalformed."""


class Pair(msgspec.Struct, frozen=True):
    """A pair as exchangeInfo tells it; `status` is TRADING, BREAK and such."""

    symbol: str
    status: str
    quote: str = msgspec.field(name="quoteAsset")
    spot: bool = msgspec.field(name="isSpotTradingAllowed", default=True)


class _Limit(msgspec.Struct):
    kind: str = msgspec.field(name="rateLimitType")
    interval: str
    intervals: int = msgspec.field(name="intervalNum")
    limit: int


class _ExchangeInfo(msgspec.Struct):
    symbols: list[Pair]
    limits: list[_Limit] = msgspec.field(name="rateLimits", default_factory=list)


class _Time(msgspec.Struct):
    server_time: int = msgspec.field(name="serverTime")


class Binance:
    """The exchange behind any of `base_urls`; all requests share one weight budget."""

    def __init__(
        self,
        http: Http,
        *,
        base_urls: Sequence[str],
        clock: Callable[[], int],
        backoff: Backoff,
        log: logging.Logger,
    ) -> None:
        self._http = http
        self._hosts = Hosts(base_urls)
        self._clock = clock
        self._backoff = backoff
        self._log = log
        self.budget = WeightBudget("Binance", clock=clock, sleep=backoff.sleep, longest_wait_s=backoff.longest_wait_s)

    async def server_time(self) -> int:
        """The exchange's clock, epoch milliseconds; its minutes are the budget's from then on.

        Raises:
            SourceError: no host answered it.
        """
        told = await self._get(*_TIME, {}, read=self._plausible_time)
        self.budget.set_exchange_clock(told)
        return told

    async def trading_symbols(self, quote: str) -> tuple[str, ...]:
        """All pairs traded on the spot market against `quote` (`USDT`), in the exchange's order.

        Raises:
            SourceError: no host answered it.
        """
        # A host may ignore the filters, which only make the answer smaller; so the rows are looked at anyway.
        wanted = {"permissions": "SPOT", "symbolStatus": "TRADING", "showPermissionSets": "false"}
        pairs = await self._pairs(wanted)
        return tuple(p.symbol for p in pairs if p.status == TRADING and p.spot and p.quote == quote)

    async def pairs(self) -> tuple[Pair, ...]:
        """All pairs of the exchange, whatever their status.

        Raises:
            SourceError: no host answered it.
        """
        return await self._pairs({"showPermissionSets": "false"})

    async def klines(
        self, symbol: str, interval: Interval, *, start_ms: int | None, end_ms: int, limit: int
    ) -> list[object]:
        """Klines as decoded from JSON that open within [start, end], oldest first.

        With a start the first `limit` from there, else the newest `limit`; `limit` is at most `MOST_KLINES`.

        Raises:
            SourceRejected: the exchange does not know the symbol.
            SourceError: no host answered it.
        """
        params: dict[str, str | int] = {"symbol": symbol, "interval": interval.name, "endTime": end_ms, "limit": limit}
        if start_ms is not None:
            params["startTime"] = start_ms
        return await self._get(*_KLINES, params, read=partial(_shaped, shape=list[object]))

    async def _pairs(self, wanted: Params) -> tuple[Pair, ...]:
        """The pairs of exchangeInfo, which also tells the request weight of a minute."""
        info = await self._get(*_EXCHANGE_INFO, wanted, read=partial(_shaped, shape=_ExchangeInfo))
        for limit in info.limits:
            if (limit.kind, limit.interval, limit.intervals) == ("REQUEST_WEIGHT", "MINUTE", 1):
                self.budget.limit = limit.limit
        return tuple(info.symbols)

    def _plausible_time(self, value: object) -> int:
        """The time told, unless it would make every forming candle a closed one."""
        told = _shaped(value, shape=_Time).server_time
        if told > self._clock() + DAY_MS:
            raise SourceMalformed(f"Binance's time {told} is more than a day ahead of this machine's")
        return told

    async def _get(self, path: str, weight: int, params: Params, *, read: Read[T]) -> T:
        return await self._backoff.run(lambda: self._from_any_host(path, weight, params, read=read))

    async def _from_any_host(self, path: str, weight: int, params: Params, *, read: Read[T]) -> T:
        """The answer of the first host that gives one; being refused there or cut off moves on to the next."""
        failures: list[SourceError] = []
        for base_url in self._hosts.in_order():
            try:
                value = read(await self._from_host(base_url + path, weight, params))
            except (SourceBlocked, SourceUnavailable, SourceMalformed) as error:
                failures.append(error)
                continue
            if failures and self._hosts.worked(base_url):
                self._log.warning("asking Binance at %s from now on: %s", urlsplit(base_url).netloc, failures[0])
            return value
        raise _joined(failures)

    async def _from_host(self, url: str, weight: int, params: Params) -> object:
        minute = await self.budget.admit(weight)
        headers: Mapping[str, str] = {}
        try:
            reply = await self._http.get(url, params=params)
            headers = reply.headers
        finally:
            self.budget.settle(minute, weight=weight, headers=headers)
        refusal = reply.refusal(now_ms=self._clock())
        if isinstance(refusal, SourceRateLimited):
            raise self._limited(refusal)
        if refusal is not None:
            raise refusal
        return reply.decoded()

    def _limited(self, refusal: SourceRateLimited) -> SourceRateLimited:
        """Stop everybody for the time asked for: going on after a 429 is what gets an address banned."""
        wait_s = self.budget.rest_of_minute_s() if refusal.retry_after_s is None else refusal.retry_after_s
        now_ms = self._clock()
        until_ms = now_ms + round(1000 * wait_s)
        self.budget.pause(until_ms=until_ms)
        PAUSES.note(self._hosts.name, until_ms=until_ms, now_ms=now_ms)
        return SourceRateLimited(str(refusal), retry_after_s=wait_s)


def _joined(failures: Sequence[SourceError]) -> SourceError:
    """One error for all hosts: blocked only if all block, since any other failure may pass by itself."""
    passing = [failure for failure in failures if not isinstance(failure, SourceBlocked)]
    kind = type(passing[-1] if passing else failures[-1])
    return kind("no Binance host gave an answer: " + "; ".join(str(failure) for failure in failures))


def _shaped(value: object, *, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise SourceMalformed(f"Binance answered something else than documented: {error}") from error
