"""Asks again for the candles of gaps, when the ledger says that it is time."""

import logging
from collections.abc import Sequence

from datahub_assets.datasets.candles.client.fetch import fetch_ranges
from datahub_assets.datasets.candles.client.pages import Range
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.defs.resources import DataHubResource
from datahub_assets.domain.errors import SourceError, Terminal
from datahub_assets.sources.fetched import Fetched
from datahub_assets.stores import landing
from datahub_assets.stores.cache.cache import Cache
from datahub_assets.stores.cache.series_gaps import Question


def refetch(datahub: DataHubResource, cache: Cache, *, log: logging.Logger) -> None:
    """Ask Binance for the gaps that are due, land what comes, and note in the ledger what became of each question.

    A failure only costs the answers: the questions stay due, and the tick's own candles have landed before. A question
    the exchange refuses goes behind the others, so that pairs it no longer knows do not keep those from being asked.
    """
    settings = datahub.settings.of(CandleSettings)
    questions = cache.gaps(OHLC).to_ask(now_ms=datahub.clock(), followed=settings.follows)
    if not questions:
        return
    try:
        ranges = [_range(question) for question in questions]
        fetched = fetch_ranges(settings, ranges=ranges, clock=datahub.clock, log=log)
    except SourceError as error:
        log.warning("could not ask again for %d gaps: %s", len(questions), error)
        if isinstance(error, Terminal):  # of all of them
            for question in questions:
                cache.gaps(OHLC).record_refused(question, now_ms=datahub.clock())
    else:
        _note(questions, fetched, datahub, cache)


def _note(questions: Sequence[Question], fetched: Fetched, datahub: DataHubResource, cache: Cache) -> None:
    now_ms = datahub.clock()
    landing.land(datahub.landing, OHLC, fetched.checked, now_ms=now_ms)
    for question in questions:
        symbol, name = question.series
        error = fetched.failed.get((symbol, name))
        if error is None:
            cache.gaps(OHLC).record_asked(question, answered=_answered(question, fetched), now_ms=now_ms)
        elif isinstance(error, Terminal):
            cache.gaps(OHLC).record_refused(question, now_ms=now_ms)


def _range(question: Question) -> Range:
    symbol, name = question.series
    return Range(symbol, interval(name), question.gap.first_time, question.gap.last_time)


def _answered(question: Question, fetched: Fetched) -> bool:
    """Whether any candle of the gap came, good or bad."""
    symbol, name = question.series
    subject = f"{symbol} {name}"
    times = fetched.checked.frame.filter(symbol=symbol, interval=name)["timestamp"].dt.epoch("ms")
    first, last = question.gap.first_time, question.gap.last_time
    return bool(times.is_between(first, last).any()) or any(
        one.subject == subject and one.at_ms is not None and first <= one.at_ms <= last
        for one in fetched.checked.rejected
    )
