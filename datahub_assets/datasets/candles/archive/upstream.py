"""All that is asked for history, by any thread: the archive's files, their listing, and the exchange's REST.

One event loop holds the clients, so that connections and the exchange's request weight are shared.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

import polars as pl

from datahub_assets.datasets.candles.archive import listing, names
from datahub_assets.datasets.candles.archive.download import Download, download
from datahub_assets.datasets.candles.client.pages import Range, pages
from datahub_assets.datasets.candles.client.rest import Binance, Pair
from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.errors import SourceError, SourceRateLimited
from datahub_assets.domain.history import Month
from datahub_assets.domain.rows import Rejected
from datahub_assets.domain.times import HOUR_MS
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance.hosts import Hosts
from datahub_assets.sources.http import Http
from datahub_assets.sources.loop_thread import LoopThread
from datahub_assets.sources.pauses import PAUSES

_CONNECTIONS: Final = 16
_FILES_AT_ONCE: Final = 4
"""Of one month: the answers wait in memory."""
_HOLD_MS: Final = HOUR_MS
"""So long what the exchange and the list said is not asked for again."""
_MISSING: Final = 404


@dataclass(frozen=True, slots=True)
class Answer:
    """What REST answered about a range: its good rows, sorted by time, the others, and where it was asked."""

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]
    url: str


class Upstream:
    """The archive and the exchange.

    Args:
        clock: this machine's time, epoch milliseconds UTC.
        beside_live: whether the settings' pairs are polled at the same time: their request weight is left to them.
        backoff: attempts and pauses.
        silence_timeout_s, answer_timeout_s: for how long an answer may be silent, and take in all.
    """

    def __init__(
        self,
        settings: CandleSettings,
        *,
        clock: Callable[[], int],
        log: logging.Logger,
        beside_live: bool = True,
        backoff: Backoff | None = None,
        silence_timeout_s: float = 8.0,
        answer_timeout_s: float = 120.0,
    ) -> None:
        self.clock = clock
        self._files_url = settings.binance_archive_url
        self._list_url = settings.binance_archive_list_url
        self._hosts = Hosts(settings.binance_base_urls)
        self._backoff = backoff or Backoff()
        self._http = Http(
            connections=_CONNECTIONS, silence_timeout_s=silence_timeout_s, answer_timeout_s=answer_timeout_s
        )
        self._binance = Binance(
            self._http,
            base_urls=settings.binance_base_urls,
            clock=clock,
            backoff=self._backoff,
            log=log,
            left_to_live=settings.weight_of_a_tick if beside_live else 0,
        )
        self._loop = LoopThread("history")
        self._months: dict[str, tuple[int, Mapping[Month, str]]] = {}
        self._symbols: tuple[str, ...] = ()
        self._symbols_at: int | None = None
        self._pairs: dict[str, Pair] = {}
        self._pairs_at: int | None = None
        self._ahead_ms = 0
        self._asking_pairs = asyncio.Lock()

    def close(self) -> None:
        """Close all connections; nothing can be asked afterwards."""
        self._loop.run(self._http.aclose())
        self._loop.close()

    @property
    def rest_url(self) -> str:
        """Where klines are asked for."""
        return f"{self._hosts.in_order()[0]}/api/v3/klines"

    def url(self, key: str) -> str:
        """Where a file of the archive is."""
        return f"{self._files_url}/{key}"

    def downloads(self, keys: Sequence[str]) -> list[Download | SourceError]:
        """The files of these keys in their order; of one that could not be asked for, why."""
        return self._loop.run(self._downloads(keys))

    def months(self, symbol: str, interval: str) -> Mapping[Month, str]:
        """The monthly files the archive lists of a series: the key by month; at most an hour old.

        Raises:
            SourceError: the listing could not be had.
        """
        known = self.known_months(symbol, interval)
        if known is None:
            folder = names.month_folder(symbol, interval)
            known = names.months_in(self._loop.run(listing.keys(self._page, folder)))
            self._months[folder] = (self.clock(), known)
        return known

    def known_months(self, symbol: str, interval: str) -> Mapping[Month, str] | None:
        """The same, if it need not be asked for."""
        at, known = self._months.get(names.month_folder(symbol, interval), (0, None))
        return known if self.clock() - at <= _HOLD_MS else None

    def days(self, symbol: str, interval: str, month: Month) -> Mapping[int, str]:
        """The daily files the archive lists of a month: the key by the begin of the day, epoch ms.

        Raises:
            SourceError: the listing could not be had.
        """
        prefix = names.day_prefix(symbol, interval, month)
        return names.days_in(self._loop.run(listing.keys(self._page, prefix)))

    def symbols(self) -> tuple[str, ...]:
        """All pairs the archive has a folder for; at most an hour old.

        Raises:
            SourceError: the listing could not be had.
        """
        now_ms = self.clock()
        if self._symbols_at is None or now_ms - self._symbols_at > _HOLD_MS:
            self._symbols = self._loop.run(listing.folders(self._page, names.MONTHLY))
            self._symbols_at = now_ms
        return self._symbols

    def pairs(self) -> Mapping[str, Pair]:
        """What the exchange says of its pairs, by name; at most an hour old.

        Raises:
            SourceError: it could not be asked.
        """
        return self._loop.run(self._known_pairs())

    def klines(self, symbol: str, interval: Interval, *, start_ms: int, end_ms: int) -> Answer:
        """What REST has of a series from `start_ms` on, before `end_ms`.

        Raises:
            SourceRejected: the exchange does not know the pair.
            SourceError: it could not be asked.
        """
        return self._loop.run(self._klines(Range(symbol, interval, start_ms, end_ms - 1)))

    async def _downloads(self, keys: Sequence[str]) -> list[Download | SourceError]:
        turns = asyncio.Semaphore(_FILES_AT_ONCE)

        async def one(key: str) -> Download | SourceError:
            async with turns:
                try:
                    return await download(self._file, key)
                except SourceError as error:
                    return error

        return list(await asyncio.gather(*(one(key) for key in keys)))

    async def _file(self, key: str, most_bytes: int) -> bytes | None:
        return await self._got(self.url(key), {}, most_bytes=most_bytes)

    async def _page(self, params: Mapping[str, str]) -> bytes:
        content = await self._got(self._list_url, params, most_bytes=listing.MOST_BYTES)
        return content or b""

    async def _got(self, url: str, params: Mapping[str, str], *, most_bytes: int) -> bytes | None:
        """The content of a URL, after some tries where those may help; None where there is no such thing."""
        host = urlsplit(url).netloc

        async def once() -> bytes | None:
            PAUSES.check(host, not_before_ms=0, now_ms=self.clock())
            reply = await self._http.get(url, params=params or None, most_bytes=most_bytes)
            if reply.status == _MISSING:
                return None
            if refusal := reply.refusal(now_ms=self.clock()):
                if isinstance(refusal, SourceRateLimited) and refusal.retry_after_s is not None:
                    now_ms = self.clock()
                    PAUSES.note(host, until_ms=now_ms + round(1000 * refusal.retry_after_s), now_ms=now_ms)
                raise refusal
            return reply.content

        return await self._backoff.run(once)

    async def _known_pairs(self) -> Mapping[str, Pair]:
        async with self._asking_pairs:
            now_ms = self.clock()
            PAUSES.check(self._hosts.name, not_before_ms=0, now_ms=now_ms)
            if self._pairs_at is None or now_ms - self._pairs_at > _HOLD_MS:
                self._ahead_ms = await self._binance.server_time() - now_ms
                self._pairs = _by_name(await self._binance.pairs())
                self._pairs_at = now_ms
            return self._pairs

    async def _klines(self, wanted: Range) -> Answer:
        await self._known_pairs()  # also tells the request weight of a minute, and the minute
        frames = [pl.DataFrame(schema=OHLC.polars_schema())]
        rejected: list[Rejected] = []
        async for page in pages(self._binance, wanted):
            now_ms = self.clock()
            checked = check_klines(
                page,
                symbol=wanted.symbol,
                interval=wanted.interval,
                server_time_ms=now_ms + self._ahead_ms,
                now_ms=now_ms,
            )
            frames.append(checked.frame)
            rejected.extend(checked.rejected)
        final = pl.concat(frames).filter("closed").unique("timestamp", keep="last").sort("timestamp")
        params = {
            "symbol": wanted.symbol,
            "interval": wanted.interval.name,
            "startTime": wanted.start_ms,
            "endTime": wanted.end_ms,
        }
        return Answer(final, tuple(rejected), f"{self.rest_url}?{urlencode(params)}")


def _by_name(pairs: Iterable[Pair]) -> dict[str, Pair]:
    return {pair.symbol: pair for pair in pairs}
