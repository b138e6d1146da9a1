"""A market with its archive, and what reads months of it."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from datahub_assets.datasets.candles.archive import CandleHistory, Upstream
from datahub_assets.datasets.candles.settings import CandleSettings
from datahub_assets.domain.history import Month, SeriesMonth, SourceLine, Verdict
from datahub_assets.sources import pauses
from datahub_assets.sources.backoff import Backoff
from datahub_assets.sources.binance import hosts
from tests.fakes import Clock, FakeArchive, FakeBinance
from tests.fakes.candles import klines

NOW_MS = 1_763_800_015_000  # 2025-11-22 08:26:55
NOVEMBER = Month(2024, 11)


@dataclass(frozen=True)
class Market:
    """The exchange, its archive, and the reader."""

    exchange: FakeBinance
    archive: FakeArchive
    history: CandleHistory

    def fetch(self, symbol: str = "BTCUSDT", interval: str = "1h", month: Month = NOVEMBER) -> SeriesMonth:
        return self.history.fetch((symbol, interval), month)

    def truth(self, symbol: str, interval: str, month: Month) -> list[tuple[object, ...]]:
        """What the exchange has of a month: time, open, volume, number of trades."""
        within = {"start_ms": month.start_ms, "end_ms": month.end_ms - 1}
        rows = klines(self.archive.listings[symbol], interval, **within, limit=10**6, now_ms=NOW_MS, moving=False)
        return [(row[0], float(str(row[1])), float(str(row[5])), row[8]) for row in rows]


def rows_of(found: SeriesMonth) -> list[tuple[object, ...]]:
    """Its rows, as `Market.truth` tells them."""
    return found.rows.select(pl.col("timestamp").dt.epoch("ms"), "open", "volume", "trade_count").rows()


def verdicts(found: SeriesMonth) -> list[tuple[str, Verdict, int]]:
    """Of each line the kind of source, its verdict and how many rows were taken."""
    return [(kind_of(line), line.verdict, line.rows) for line in found.sources]


def kind_of(line: SourceLine) -> str:
    return "monthly" if "/monthly/" in line.url else "daily" if "/daily/" in line.url else "rest"


def detail(found: SeriesMonth, kind: str = "monthly") -> str:
    """What is wrong with the first source of this kind."""
    return next(line.detail for line in found.sources if kind_of(line) == kind)


@pytest.fixture(autouse=True)
def _fresh_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test inherits what another test's upstream asked for: ports come again."""
    monkeypatch.setattr(pauses.PAUSES, "_until_ms", {})
    monkeypatch.setattr(hosts, "_PREFERRED", {})


async def _no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


def opened(
    exchange: FakeBinance,
    archive: FakeArchive,
    *,
    silence_timeout_s: float = 8.0,
    symbols: tuple[str, ...] = ("ETHUSDT", "BTCUSDT"),
) -> CandleHistory:
    """A reader of these hosts, which waits for nothing."""
    settings = CandleSettings(
        binance_base_urls=(exchange.url,),
        binance_archive_url=archive.url,
        binance_archive_list_url=archive.list_url,
        symbols=symbols,
    )
    log = logging.getLogger("tests.history")
    upstream = Upstream(
        settings,
        clock=exchange.clock.now_ms,
        log=log,
        backoff=Backoff(sleep=_no_wait, chance=lambda: 0.5),
        silence_timeout_s=silence_timeout_s,
    )
    return CandleHistory(upstream, settings=settings, log=log)


@pytest.fixture(scope="module")
def hosts_of_market() -> Iterator[tuple[FakeBinance, FakeArchive]]:
    with FakeBinance(clock=Clock(NOW_MS), usdt_pairs=3) as exchange, FakeArchive(exchange) as archive:
        yield exchange, archive


@pytest.fixture
def market(hosts_of_market: tuple[FakeBinance, FakeArchive]) -> Iterator[Market]:
    """In good health, and read for the first time; what a test does to a pair of the exchange stays."""
    exchange, archive = hosts_of_market
    exchange.unban()
    with opened(exchange, archive) as history:
        yield Market(exchange, archive, history)
    archive.mend()
    for one in (exchange, archive):
        one.recover()
        one.forget_requests()
