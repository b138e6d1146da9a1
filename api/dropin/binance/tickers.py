"""Binance's ticker/price and ticker/24hr, told from the Hub's candles.

Parameters, fields and codes are those of Binance's REST documentation (developers.binance.com, "Market Data").
What no candle tells, such as bids, quantities of single trades and their ids, answers null.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Final

import msgspec
import polars as pl
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.answers import JSON_VARY
from api.dropin.binance.errors import BinanceRefusal, invalid
from api.dropin.binance.exchange_info import BREAK, STATUSES, KnownPairs, listings_at, pairs_of
from api.dropin.binance.newest import day_interval, newest_candles, newest_interval, newest_opens
from api.dropin.binance.numbers import decimal
from api.dropin.binance.symbols import OnePair, SomePairs, named_pairs, unknown_pairs
from api.dropin.binance.time_units import TimeUnit
from api.dropin.queries import DropInQuery
from api.engine.engine import Engine
from api.engine.selection.query import NotResident
from api.engine.snapshot import Snapshot
from api.http.context import TIME_UNIT_HEADER
from api.http.reading import RevisionChoice
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.times import DAY_MS

FULL: Final = "FULL"
_MINI: Final = "MINI"
_PERCENT_DECIMALS: Final = 3
_FEW: Final = 8
"""Of more pairs the answer takes more than a moment."""
_NOT_CARRIED: Final = ("lastQty", "bidPrice", "bidQty", "askPrice", "askQty", "firstId", "lastId")
_MINI_FIELDS: Final = (
    *("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime"),
    *("firstId", "lastId", "count"),
)
_FULL_FIELDS: Final = (
    *("symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice", "lastPrice", "lastQty"),
    *("bidPrice", "bidQty", "askPrice", "askQty", "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume"),
    *("openTime", "closeTime", "firstId", "lastId", "count"),
)
_FIELDS: Final = {FULL: _FULL_FIELDS, _MINI: _MINI_FIELDS}
"""By `type`; in Binance's order."""
_DAY_COLUMNS: Final = (
    *("symbol", "timestamp", "close_time", "open", "high", "low", "close", "volume", "quote_volume", "trade_count"),
    "ingested_at",
)
Status = Annotated[
    str | None, QueryParameter(name="symbolStatus", description="only pairs in it: `TRADING`, `HALT` or `BREAK`")
]
Tell = Callable[..., Iterator[dict[str, Any]]]
"""Tells of pairs, by `Opens` of each."""


class Tickers(msgspec.Struct, frozen=True, array_like=True):
    """All that an answer depends on besides the commit of the candles.

    Attributes:
        symbols: the pairs that are named; all there are for none.
        is_one: whether `symbol` named it, so that the answer is not a list.
        status: only pairs in it; None for all that are named, or for all that are traded.
        of_listings: the commit of the listings that tell the status.
        kind: the value of `type`.
    """

    symbols: tuple[str, ...]
    is_one: bool
    status: str | None
    of_listings: str | None = None
    kind: str = FULL
    unit: TimeUnit = TimeUnit()


def ask_wanted(*, symbol: OnePair = None, symbols: SomePairs = None, symbol_status: Status = None) -> Tickers:
    """Which pairs a caller means by Binance's parameters.

    Raises:
        BinanceRefusal: with the code Binance has for it.
    """
    if symbol is not None and symbols is not None:
        raise BinanceRefusal(
            -1128, "Combination of optional parameters invalid. Do not send symbol and symbols together."
        )
    if symbol_status is not None and symbol_status not in STATUSES:
        raise invalid("symbolStatus")
    named = named_pairs(symbol, symbols)
    if symbols is not None and not named:
        raise invalid("symbols", why="The list is empty; without it, all pairs are meant.")
    return Tickers(named, symbol is not None, symbol_status)


async def ask_prices(
    *, engine: NamedDependency[Engine], choice: NamedDependency[RevisionChoice], wanted: NamedDependency[Tickers]
) -> DropInQuery:
    """A request for ticker/price at a commit. Raises as `Dataset.commit` and `Dataset.at`."""
    return await _query(engine, choice, wanted, tell=_prices)


async def ask_days(
    *,
    engine: NamedDependency[Engine],
    choice: NamedDependency[RevisionChoice],
    wanted: NamedDependency[Tickers],
    time_unit: NamedDependency[TimeUnit],
    kind: Annotated[str | None, QueryParameter(name="type", description="`FULL` (the default) or `MINI`")] = None,
) -> DropInQuery:
    """A request for ticker/24hr at a commit. Raises as `Dataset.commit` and `Dataset.at`, and BinanceRefusal."""
    if kind is not None and kind not in _FIELDS:
        raise invalid("type", why=f"Valid are {' and '.join(_FIELDS)}.")
    asked = msgspec.structs.replace(wanted, kind=kind or FULL, unit=time_unit)
    tell = partial(_days, fields=_FIELDS[asked.kind], unit=time_unit)
    return await _query(engine, choice, asked, tell=tell, vary=f"{JSON_VARY}, {TIME_UNIT_HEADER}")


async def _query(
    engine: Engine, choice: RevisionChoice, wanted: Tickers, *, tell: Tell, vary: str = JSON_VARY
) -> DropInQuery:
    """What is asked; where statuses count, the listings of the moment belong to it."""
    listings = None
    by_status = wanted.status is not None or not wanted.symbols
    if by_status:
        commit = await engine.dataset(OHLC.name).commit(choice)
        listings = await listings_at(engine, choice, commit)
        wanted = msgspec.structs.replace(wanted, of_listings=None if listings is None else listings.sha)
    return DropInQuery(
        OHLC.name,
        wanted,
        choice,
        make=partial(tickers_json, wanted=wanted, listings=listings, tell=tell),
        check=partial(_check, wanted=wanted, listings=listings),
        vary=vary,
        lasts=not by_status,
    )


def tickers_json(
    snapshot: Snapshot, wanted: Tickers, *, listings: Snapshot | None, tell: Tell, resident_only: bool
) -> bytes:
    """What is told of the pairs that are meant: in the order they are named in, of all in that of their spelling.

    Raises:
        BinanceRefusal: a pair is not there, or not in the status that is asked for.
        NotResident: as `rows_of`, and where there are many of them.
    """
    names = _names(snapshot, wanted, listings, resident_only=resident_only)
    if resident_only and len(names) > _FEW:
        raise NotResident
    opens = newest_opens(snapshot, names)
    told = {one["symbol"]: one for one in tell(snapshot, opens, resident_only=resident_only)}
    tickers = [told[name] for name in names]
    return msgspec.json.encode(tickers[0] if wanted.is_one else tickers)


def _check(snapshot: Snapshot, *, wanted: Tickers, listings: Snapshot | None) -> None:
    """Raise what `tickers_json` would about the pairs."""
    _names(snapshot, wanted, listings, resident_only=False)


def _names(snapshot: Snapshot, wanted: Tickers, listings: Snapshot | None, *, resident_only: bool) -> list[str]:
    """The pairs that are meant. Lists of all leave out those that are traded no more."""
    unknown = [name for name in wanted.symbols if not any(name in known for known in snapshot.series.values())]
    if unknown:
        raise unknown_pairs(unknown)
    if wanted.symbols and wanted.status is None:
        return list(wanted.symbols)
    pairs = pairs_of(KnownPairs(snapshot, listings), resident_only=resident_only)
    statuses = {name: pair["status"] for name, pair in pairs.items()}
    if wanted.status is None:
        return [name for name, status in statuses.items() if status != BREAK]
    names = [name for name in wanted.symbols or statuses if statuses.get(name) == wanted.status]
    if wanted.is_one and not names:
        raise BinanceRefusal(-1220, "The symbol's status does not match the requested symbolStatus.")
    return names


def _prices(snapshot: Snapshot, opens: dict[str, dict[str, int]], *, resident_only: bool) -> Iterator[dict[str, Any]]:
    """The close of each pair's newest candle, the finest of several."""
    found = newest_candles(
        snapshot,
        opens,
        choose=newest_interval,
        before_ms=0,
        columns=("symbol", "close"),
        resident_only=resident_only,
    )
    for _, rows in found:
        for name, close in rows.iter_rows():
            yield {"symbol": name, "price": decimal(close)}


def _days(
    snapshot: Snapshot,
    opens: dict[str, dict[str, int]],
    *,
    fields: tuple[str, ...],
    unit: TimeUnit,
    resident_only: bool,
) -> Iterator[dict[str, Any]]:
    """The 24 hours up to each pair's newest candle, of the one interval that tells them best."""
    found = newest_candles(
        snapshot, opens, choose=day_interval, before_ms=DAY_MS, columns=_DAY_COLUMNS, resident_only=resident_only
    )
    for newest_ms, rows in found:
        for day in _summed(rows, newest_ms - DAY_MS).iter_rows(named=True):
            told = _ticker(day, unit)
            yield {field: told[field] for field in fields}


def _summed(rows: pl.DataFrame, before_ms: int) -> pl.DataFrame:
    """A row for each pair from its candles in the order of time; the one that opened at `before_ms` lies before them.

    What is summed comes as lists, as sums of floats are only exact in Python.
    """
    in_day = pl.col("timestamp").dt.epoch("ms") > before_ms
    days = (
        rows.filter(in_day)
        .group_by("symbol", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume", "quote_volume", "trade_count"),
            pl.col("timestamp").first().dt.epoch("ms").alias("from_ms"),
            pl.min_horizontal(pl.col("close_time").last(), pl.col("ingested_at").last()).dt.epoch("ms").alias("to_ms"),
        )
    )
    before = rows.filter(~in_day).select(
        "symbol", pl.col("close").alias("close_before"), pl.col("close_time").dt.epoch("ms").alias("before_to_ms")
    )
    return days.join(before, on="symbol", how="left", maintain_order="left")


def _ticker(day: dict[str, Any], unit: TimeUnit) -> dict[str, Any]:
    """All fields of ticker/24hr."""
    opened, closed, volume, traded = day["open"], day["close"], _sum(day["volume"]), _sum(day["quote_volume"])
    count = _sum(day["trade_count"])
    change = None if opened is None or closed is None else closed - opened
    percent = change / opened * 100 if change is not None and opened else None
    follows = day["close_before"] is not None and day["before_to_ms"] + 1 == day["from_ms"]
    return dict.fromkeys(_NOT_CARRIED) | {
        "symbol": day["symbol"],
        "priceChange": decimal(change),
        "priceChangePercent": decimal(percent, places=_PERCENT_DECIMALS),
        "weightedAvgPrice": decimal(traded / volume) if volume and traded is not None else None,
        "prevClosePrice": decimal(day["close_before"]) if follows else None,
        "lastPrice": decimal(closed),
        "openPrice": decimal(opened),
        "highPrice": decimal(day["high"]),
        "lowPrice": decimal(day["low"]),
        "volume": decimal(volume),
        "quoteVolume": decimal(traded),
        "openTime": unit.of_ms(day["from_ms"]),
        "closeTime": unit.end_of_ms(day["to_ms"]),
        "count": None if count is None else int(count),
    }


def _sum(values: list[float | None]) -> float | None:
    """The exact sum, rounded once; None where a value is missing."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
