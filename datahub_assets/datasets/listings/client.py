"""The exchange's list of its pairs, and the candles at the ends of some of them: the fetch the asset does.

Endpoints and weights: binance-spot-api-docs, rest-api.md.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import polars as pl

from datahub_assets.datasets.listings.rows import CandleQuestion, Compared, answered, check_pairs, compared, questions
from datahub_assets.datasets.listings.settings import ListingSettings
from datahub_assets.datasets.listings.spec import LISTINGS
from datahub_assets.domain import fields
from datahub_assets.domain.errors import SourceError, SourceMalformed, SourceRejected
from datahub_assets.domain.fields import BadField
from datahub_assets.domain.rows import Checked, merge
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance.exchange import BinanceApi, Params, shaped
from datahub_assets.sources.binance.hosts import Hosts
from datahub_assets.sources.fetched import Fetched, report_rejected
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

MOST_QUESTIONS: Final = 30
"""Pairs asked about in one fetch: what the list does not say is asked for bit by bit, the whole exchange in a night."""
LAST_ASKED: Final = "last_asked"
"""Note: the pair whose candles were asked for last."""
_EXCHANGE_INFO: Final = ("/api/v3/exchangeInfo", 20)
_KLINES: Final = ("/api/v3/klines", 2)
_SHARE: Final = 0.5
"""No candle is asked for here once so much of the minute's weight is used: it is more needed elsewhere."""
_LIST_S: Final = 60.0
_ROUNDS: Final = 2

Clock = Callable[[], int]


def fetch_listings(
    settings: ListingSettings,
    *,
    stored: pl.DataFrame,
    last_asked: str,
    clock: Clock,
    log: logging.Logger,
    not_before_ms: int = 0,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask what the exchange says of its pairs, and for some candles; runs an event loop of its own.

    Args:
        settings: where to ask.
        stored: all rows there are: only what differs from the newest of each pair is given.
        last_asked: the note `LAST_ASKED` of the fetch before, empty at first.
        clock: this machine's time, epoch milliseconds UTC.
        log: gets the lines a person follows.
        not_before_ms: `Fetched.pause_until_ms` of an earlier fetch; nothing is asked before.
        backoff: attempts and pauses.

    Raises:
        SourceError: the list could not be fetched.
    """
    upstream = Hosts(settings.binance_base_urls).name
    PAUSES.check(upstream, not_before_ms=not_before_ms, now_ms=clock())
    asking = _ListingFetch(stored, last_asked, clock, log)
    started = time.perf_counter()
    requests = asyncio.run(asking.all(settings, backoff=backoff or Backoff(attempts=_ROUNDS)))
    fetched = Fetched(
        checked=asking.checked,
        requests=requests,
        elapsed_s=time.perf_counter() - started,
        failed=asking.failed,
        pause_until_ms=PAUSES.until_ms(upstream, now_ms=clock()),
        notes={LAST_ASKED: asking.last_asked},
    )
    report_rejected(fetched.checked.rejected, log=log)
    return fetched


@dataclass(slots=True)
class _ListingFetch:
    """One fetch under way, and what came of it."""

    stored: pl.DataFrame
    last_asked: str
    clock: Clock
    log: logging.Logger
    checked: Checked = field(init=False)
    failed: dict[tuple[str, ...], SourceError] = field(default_factory=dict)

    async def all(self, settings: ListingSettings, *, backoff: Backoff) -> int:
        """Fetch the list and some candles; returns how many requests it took."""
        async with Http(answer_timeout_s=_LIST_S) as http:
            exchange = BinanceApi(
                http, base_urls=settings.binance_base_urls, clock=self.clock, backoff=backoff, log=self.log
            )
            await exchange.server_time()
            pairs = await exchange.get(*_EXCHANGE_INFO, {"showPermissionSets": "false"}, read=_pairs)
            now_ms = self.clock()
            told = check_pairs(pairs, now_ms=now_ms)
            named = {str(pair.get("symbol")) for pair in pairs if isinstance(pair, dict)}
            difference = compared(told.frame, stored=self.stored, named=named, now_ms=now_ms)
            if difference.doubted:
                message = (
                    f"Binance's list of {len(pairs)} pairs lacks {difference.doubted} that it had: that is not believed"
                )
                self.failed["list",] = SourceMalformed(message)
            found = await self._candles(exchange, difference, now_ms=now_ms)
            self.checked = Checked(merge(LISTINGS, [difference.changed, found]), told.rejected)
            self.log.info(
                "Binance lists %d pairs, %d rows are new or other than before; weight %d of %d used this minute",
                *(len(pairs), self.checked.frame.height, exchange.budget.used, exchange.budget.limit),
            )
            return http.requests

    async def _candles(self, exchange: BinanceApi, difference: Compared, *, now_ms: int) -> pl.DataFrame:
        """The rows of pairs whose candles were asked for now; what fails is asked for again when its turn comes."""
        answers: dict[str, dict[str, int]] = {}
        for question in questions(difference.current, after=self.last_asked, most=MOST_QUESTIONS):
            if exchange.budget.used > _SHARE * exchange.budget.limit:
                break
            try:
                answers[question.symbol] = await _open_times(exchange, question, now_ms=now_ms)
            except SourceRejected as error:
                self.log.info("Binance tells no candle of %s: %s", question.symbol, error)
            except SourceError as error:
                self.failed[question.symbol,] = error
                break
            self.last_asked = question.symbol
        return answered(difference.current, answers, now_ms=now_ms)


async def _open_times(exchange: BinanceApi, question: CandleQuestion, *, now_ms: int) -> dict[str, int]:
    """Open times of the candles that are asked for, epoch ms by column; none of a pair that was never traded."""
    wanted: dict[str, Params] = {}
    minute: dict[str, str | int] = {"symbol": question.symbol, "interval": "1m", "limit": 1}
    if question.first:
        wanted["first_candle"] = {**minute, "startTime": 0}
    if question.last:
        wanted["last_candle"] = minute
    found = {}
    for column, params in wanted.items():
        klines = await exchange.get(*_KLINES, params, read=partial(shaped, shape=list[list[object]]))
        if klines and klines[0]:
            found[column] = _open_time(column, klines[0][0], now_ms=now_ms)
    return found


def _open_time(column: str, value: object, *, now_ms: int) -> int:
    try:
        return fields.plausible(column, fields.time_ms(column, value), latest_ms=now_ms + fields.AHEAD_LIMIT_MS)
    except BadField as reason:
        raise SourceMalformed(f"Binance answered a candle that cannot be: {reason}") from reason


def _pairs(value: object) -> Sequence[object]:
    """The pairs of an answer; there always are some."""
    pairs = value.get("symbols") if isinstance(value, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise SourceMalformed("Binance answered exchangeInfo without pairs")
    return pairs
