"""The fetches the assets do: all series to the present, or ranges that are missing. Many at once, one failing alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from datahub_assets.datasets.candles.client.pages import Range, pages, to_present, with_rechecks
from datahub_assets.datasets.candles.client.refused import UNKNOWN, RefusedPairs, refused_pairs
from datahub_assets.datasets.candles.client.rest import Binance
from datahub_assets.datasets.candles.intervals import interval
from datahub_assets.datasets.candles.rows import check_klines
from datahub_assets.datasets.candles.settings import ALL, CandleSettings
from datahub_assets.datasets.candles.spec import OHLC, RECHECK_EVERY_MS
from datahub_assets.domain.errors import SourceError, SourceRateLimited, SourceRejected, Terminal
from datahub_assets.domain.rechecks import Recheck, due
from datahub_assets.domain.rows import Checked, Rejected, frame_of, merge
from datahub_assets.domain.spelling import nearest, suggestions
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance.hosts import Hosts
from datahub_assets.sources.fetched import Fetched, report_rejected, report_warnings
from datahub_assets.sources.http import Http
from datahub_assets.sources.pauses import PAUSES

CONNECTIONS: Final = 32
"""Requests at once: the whole exchange at 50 ms an answer takes 2 to 3 s."""
_ROUNDS: Final = 2
"""Attempts; each of them tries every host."""
_OUTAGE: Final = 5
"""After so many failed series in a row the rest is not asked: waiting for each to time out would outlast many ticks."""

NOTHING: Final[Mapping[str, str | None]] = {}

Clock = Callable[[], int]
Plan = Callable[[Binance, int], Awaitable[Sequence[Range]]]
"""What to ask for, given the exchange and its time."""


def fetch_candles(
    settings: CandleSettings,
    *,
    tick_s: int,
    last_open_times: Mapping[tuple[str, str], int],
    rechecks: Mapping[tuple[str, ...], Recheck],
    clock: Clock,
    log: logging.Logger,
    not_before_ms: int = 0,
    unknown: Mapping[str, str | None] = NOTHING,
    backoff: Backoff | None = None,
) -> Fetched:
    """Bring every series of the settings to the present; runs an event loop of its own.

    Args:
        settings: which pairs and intervals, how deep the first fill, from which hosts.
        tick_s: seconds between two such fetches.
        last_open_times: by (symbol, interval), the open time of the last stored candle, epoch ms; a series not in it
            is filled for the first time.
        rechecks: when series were asked before for candles that may have been corrected.
        clock: this machine's time, epoch milliseconds UTC.
        log: gets the lines a person follows.
        not_before_ms: `Fetched.pause_until_ms` of an earlier fetch; nothing is asked before.
        unknown: the note `UNKNOWN` of the fetch before: pairs Binance refused, and which each is most like.
        backoff: attempts and pauses.

    Raises:
        SourceError: no series could be fetched.
    """

    async def plan(binance: Binance, server_time_ms: int) -> list[Range]:
        ranges = [
            to_present(
                symbol,
                interval(name),
                last_open_time=last_open_times.get((symbol, name)),
                server_time_ms=server_time_ms,
                history_candles=settings.history_candles,
            )
            for symbol in await _symbols(binance, settings)
            for name in settings.intervals
        ]
        stored = [one.series for one in ranges if one.series in last_open_times]
        turns = due(stored, rechecks, every_ms=RECHECK_EVERY_MS, tick_ms=1000 * tick_s, now_ms=clock())
        return with_rechecks(ranges, turns, rechecks, history_candles=settings.history_candles)

    asked = _Context(settings, clock, log, unknown=unknown, backoff=backoff)
    return _fetch(plan, asked, not_before_ms=not_before_ms)


def fetch_ranges(
    settings: CandleSettings,
    *,
    ranges: Sequence[Range],
    clock: Clock,
    log: logging.Logger,
    not_before_ms: int = 0,
    backoff: Backoff | None = None,
) -> Fetched:
    """Ask for ranges of candles, such as gaps; a range whose series is not in `Fetched.failed` was answered in full.

    Raises:
        SourceError: no range could be fetched.
    """

    async def plan(_binance: Binance, _server_time_ms: int) -> Sequence[Range]:
        return ranges

    return _fetch(plan, _Context(settings, clock, log, backoff=backoff), not_before_ms=not_before_ms)


async def _symbols(binance: Binance, settings: CandleSettings) -> tuple[str, ...]:
    """The pairs of the setting, each once."""
    found = dict.fromkeys(settings.pairs)
    for quote in settings.quotes:
        traded = await binance.trading_symbols(quote)
        if not traded:
            like = nearest(quote, {pair.quote for pair in await binance.pairs()})
            near = suggestions({f"{ALL}{quote}": None if like is None else f"{ALL}{like}"})
            raise SourceRejected(f"Binance trades no pair against {quote!r} on its spot market (DATAHUB_SYMBOLS){near}")
        found |= dict.fromkeys(traded)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Context:
    """What a fetch goes by, whatever it asks for."""

    settings: CandleSettings
    clock: Clock
    log: logging.Logger
    unknown: Mapping[str, str | None] = field(default_factory=dict)
    backoff: Backoff | None = None


def _fetch(plan: Plan, context: _Context, *, not_before_ms: int) -> Fetched:
    upstream = Hosts(context.settings.binance_base_urls).name
    PAUSES.check(upstream, not_before_ms=not_before_ms, now_ms=context.clock())
    return asyncio.run(_fetched(plan, context, upstream=upstream))


async def _fetched(plan: Plan, context: _Context, *, upstream: str) -> Fetched:
    started, clock = time.perf_counter(), context.clock
    async with Http(connections=CONNECTIONS) as http:
        binance = Binance(
            http,
            base_urls=context.settings.binance_base_urls,
            clock=clock,
            backoff=context.backoff or Backoff(attempts=_ROUNDS),
            log=context.log,
        )
        server_time_ms = await binance.server_time()
        ranges = await plan(binance, server_time_ms)
        asking = _Asking(binance, server_time_ms=server_time_ms, clock=clock)
        await asking.all(ranges)
        series = {wanted.series for wanted in ranges}
        refused = await refused_pairs(asking.failed, binance, known=context.unknown)
        if len(asking.failed) == len(series) and not asking.frames and asking.failed:
            raise _worst(list(asking.failed.values()), refused)
        fetched = Fetched(
            checked=Checked(asking.frame(), tuple(asking.rejected)),
            requests=http.requests,
            elapsed_s=time.perf_counter() - started,
            failed={one.series: asking.failed[one.series] for one in ranges if one.series in asking.failed},
            pause_until_ms=PAUSES.until_ms(upstream, now_ms=clock()),
            rechecked=tuple(one.series for one in ranges if one.is_recheck),
            warnings=refused.told(),
            notes={UNKNOWN: refused.near},
        )
    _report(fetched, series=len(series), binance=binance, log=context.log)
    return fetched


@dataclass(slots=True)
class _Asking:
    """Ranges being asked for, many at once, and what came of them."""

    binance: Binance
    server_time_ms: int
    clock: Clock
    frames: list[pl.DataFrame] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    failed: dict[tuple[str, str], SourceError] = field(default_factory=dict)
    _in_a_row: list[SourceError] = field(default_factory=list)

    async def all(self, ranges: Sequence[Range]) -> None:
        """Ask for all of them, through as many workers as there are connections."""
        left = iter(ranges)

        async def work() -> None:
            for wanted in left:
                await self._one(wanted)

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(CONNECTIONS, len(ranges))):
                workers.create_task(work())

    def frame(self) -> pl.DataFrame:
        """All good rows."""
        return pl.concat(self.frames) if self.frames else frame_of(OHLC, [])

    async def _one(self, wanted: Range) -> None:
        if len(self._in_a_row) >= _OUTAGE:
            self.failed[wanted.series] = self._in_a_row[-1]
            return
        frames: list[pl.DataFrame] = []
        try:
            async for page in pages(self.binance, wanted):
                frames.append(self._checked(page, wanted))  # noqa: PERF401 - pages before a failure are kept
        except SourceError as error:
            self.failed[wanted.series] = error
            if not isinstance(error, Terminal):
                self._in_a_row.append(error)
        else:
            self._in_a_row.clear()
        self.frames.extend([merge(OHLC, frames)] if len(frames) > 1 else frames)

    def _checked(self, page: Sequence[object], wanted: Range) -> pl.DataFrame:
        checked = check_klines(
            page,
            symbol=wanted.symbol,
            interval=wanted.interval,
            server_time_ms=self.server_time_ms,
            now_ms=self.clock(),
        )
        self.rejected.extend(checked.rejected)
        return checked.frame


def _worst(errors: Sequence[SourceError], refused: RefusedPairs) -> SourceError:
    """The one that decides what happens next: a pause asked for, else what may pass by itself, else any."""
    worst = min(errors, key=lambda error: (not isinstance(error, SourceRateLimited), isinstance(error, Terminal)))
    return SourceRejected("; ".join(refused.told())) if isinstance(worst, SourceRejected) else worst


def _report(fetched: Fetched, *, series: int, binance: Binance, log: logging.Logger) -> None:
    log.info(
        "fetched %d candles of %d series from Binance in %.1f s (%d requests, weight %d of %d used this minute)",
        fetched.checked.frame.height,
        series - len(fetched.failed),
        fetched.elapsed_s,
        fetched.requests,
        binance.budget.used,
        binance.budget.limit,
    )
    report_rejected(fetched.checked.rejected, log=log)
    report_warnings(fetched.warnings, log=log)
    by_error: dict[str, list[str]] = {}
    for (symbol, name), error in fetched.failed.items():
        if not isinstance(error, SourceRejected):  # of those tell the warnings
            by_error.setdefault(str(error), []).append(f"{symbol} {name}")
    for message, names in by_error.items():
        log.warning("%d of %d series failed (%s): %s", len(names), series, ", ".join(names[:6]), message)
