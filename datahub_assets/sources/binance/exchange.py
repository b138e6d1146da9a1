"""The exchange: its time, and any endpoint of its REST API, from whichever host answers.

Endpoints, weights and error codes: binance-spot-api-docs, rest-api.md and errors.md.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from datahub_assets.domain.errors import (
    SourceBlocked,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceUnavailable,
)
from datahub_assets.domain.times import DAY_MS
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance.hosts import Hosts
from datahub_assets.sources.binance.request_weight import WeightBudget
from datahub_assets.sources.clocks import CLOCKS
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

_TIME: Final = ("/api/v3/time", 1)

Params = Mapping[str, str | int]
T = TypeVar("T")
Read = Callable[[object], T]
"""Takes what an answer holds out of its JSON, or raises SourceMalformed."""


class _Time(msgspec.Struct):
    server_time: int = msgspec.field(name="serverTime")


class BinanceApi:
    """The exchange behind any of `base_urls`; all requests share one weight budget, see `WeightBudget`."""

    def __init__(
        self,
        http: Http,
        *,
        base_urls: Sequence[str],
        clock: Callable[[], int],
        backoff: Backoff,
        log: logging.Logger,
        left_to_live: int | None = None,
    ) -> None:
        self._http = http
        self._hosts = Hosts(base_urls)
        self._clock = clock
        self._backoff = backoff
        self._log = log
        self.budget = WeightBudget(
            "Binance",
            clock=clock,
            sleep=backoff.sleep,
            longest_wait_s=backoff.longest_wait_s,
            left_to_live=left_to_live,
        )

    async def server_time(self) -> int:
        """The exchange's clock, epoch milliseconds; its minutes are the budget's from then on.

        Raises:
            SourceError: no host answered it.
        """
        told = await self.get(*_TIME, {}, read=self._plausible_time)
        CLOCKS.heard(urlsplit(self._hosts.in_order()[0]).netloc, told)
        self.budget.set_exchange_clock(told)
        return told

    async def get(self, path: str, weight: int, params: Params, *, read: Read[T]) -> T:
        """The answer to one question, as `read` takes it out of its JSON; waits for weight that is left.

        Raises:
            SourceRejected: the question itself is wrong, such as one about a symbol the exchange does not know.
            SourceError: no host answered it.
        """
        return await self._backoff.run(lambda: self._from_any_host(path, weight, params, read=read))

    def _plausible_time(self, value: object) -> int:
        """The time told, unless it would make every forming candle a closed one."""
        told = shaped(value, shape=_Time).server_time
        if told > self._clock() + DAY_MS:
            raise SourceMalformed(
                f"Binance's time {told} is more than a day ahead of this machine's: one of the two clocks is wrong"
            )
        return told

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


def shaped(value: object, *, shape: type[T]) -> T:
    """What was decoded from JSON, as this type.

    Raises:
        SourceMalformed: it has another shape.
    """
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise SourceMalformed(f"Binance answered something else than documented: {error}") from error
