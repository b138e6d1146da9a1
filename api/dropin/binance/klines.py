"""Binance's klines: its parameters read into our normal form, and candles written as it writes them.

Parameters, their limits and what an answer looks like are those of Binance's REST documentation, `GET /api/v3/klines`
(developers.binance.com).
"""

import re
from functools import partial
from typing import Annotated, Final

import msgspec
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from api.caching.answers import JSON_VARY
from api.dropin.binance.errors import BinanceRefusal, empty, illegal, invalid, mandatory
from api.dropin.binance.numbers import DECIMALS
from api.dropin.binance.symbols import check_symbol
from api.dropin.binance.time_units import TimeUnit, first_ms, last_ms
from api.dropin.queries import DropInQuery
from api.engine.selection.query import RowQuery
from api.engine.selection.select import check_filters, rows_of
from api.engine.snapshot import Snapshot
from api.http.context import TIME_UNIT_HEADER
from api.http.reading import RevisionChoice
from datahub_assets.datasets.candles.intervals import INTERVALS
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.domain.times import MINUTE_MS, YEAR_9999_MS

MOST_KLINES: Final = 1000
_USUAL_KLINES: Final = 500
_OPEN_TIME: Final = "open time of a candle, epoch milliseconds or microseconds; inclusive"
_NUMBER_FORM: Final = "^[0-9]{1,20}$"
_OTHER_INTERVALS: Final = ("1s", "3d", "1w", "1M")
"""Intervals Binance knows besides those of a fixed length up to a day."""
_TIME_ZONE: Final = re.compile(r"([+-]?)(\d{1,2})(?::(\d{2}))?")
_EARLIEST_ZONE_MINUTES, _LATEST_ZONE_MINUTES = -12 * 60, 14 * 60
_PRICES: Final = ("open", "high", "low", "close", "volume")
_TOTALS: Final = ("quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
_ABSENT: Final = frozenset({"", "NaN", "inf", "-inf"})
"""How numbers that are missing, or are none, read in CSV."""
_UNUSED: Final = "0"
"""The twelfth field. Binance's documentation calls it unused; it is always this."""


class Klines(msgspec.Struct, frozen=True, array_like=True):
    """All that an answer depends on besides the commit."""

    rows: RowQuery
    unit: TimeUnit


def ask_klines(
    *,
    choice: NamedDependency[RevisionChoice],
    time_unit: NamedDependency[TimeUnit],
    symbol: Annotated[str | None, QueryParameter(description="mandatory: a pair such as `BTCUSDT`")] = None,
    interval: Annotated[str | None, QueryParameter(description="mandatory: `1h`, `4h`, `1d`, …")] = None,
    start_time: Annotated[str | None, QueryParameter(name="startTime", description=_OPEN_TIME)] = None,
    end_time: Annotated[str | None, QueryParameter(name="endTime", description=_OPEN_TIME)] = None,
    time_zone: Annotated[
        str | None,
        QueryParameter(name="timeZone", description="`0`, `8`, `-1:00`; where candles are the same as in UTC"),
    ] = None,
    limit: Annotated[str | None, QueryParameter(description=f"500 by default, {MOST_KLINES} at most")] = None,
) -> DropInQuery:
    """What a caller means by Binance's parameters; `start_time` and `end_time` are open times, both inclusive.

    Raises:
        BinanceRefusal: with the code Binance has for it.
    """
    named = _symbol(symbol)
    known = _interval(interval)
    start, end = _whole("startTime", start_time), _whole("endTime", end_time)
    most = _whole("limit", limit)
    if most == 0:
        raise invalid("limit")
    _check_time_zone(time_zone, known)
    query = RowQuery(
        dataset=OHLC.name,
        filters=(("interval", (known,)), ("symbol", (named,))),
        columns=OHLC.column_names,
        limit=min(_USUAL_KLINES if most is None else most, MOST_KLINES),
        descending=False,
        start_ms=None if start is None else min(first_ms(start), YEAR_9999_MS),
        end_ms=None if end is None else min(last_ms(end), YEAR_9999_MS) + 1,
    )
    return DropInQuery(
        OHLC.name,
        Klines(query, time_unit),
        choice,
        make=partial(klines_json, query=query, unit=time_unit),
        check=partial(check_filters, query=query),
        vary=f"{JSON_VARY}, {TIME_UNIT_HEADER}",
    )


def klines_json(snapshot: Snapshot, query: RowQuery, *, unit: TimeUnit, resident_only: bool) -> bytes:
    """The candles a request means, as Binance writes them: lists of twelve, oldest first, the forming one last.

    Prices and volumes are text with eight decimals, times epoch milliseconds; what is missing is null.

    Raises:
        UnknownValue: said by name.        NotResident: as `rows_of`.
    """
    frame = rows_of(snapshot, query, resident_only=resident_only).frame
    # polars writes the exact decimals of a float
    text = frame[[*_PRICES, *_TOTALS]].write_csv(float_precision=DECIMALS, include_header=False)
    opened = frame["timestamp"].dt.epoch("ms").to_list()
    closes = frame["close_time"].dt.epoch("ms").to_list()
    klines = [
        [unit.of_ms(opens), *cells[:5], unit.end_of_ms(close), cells[5], trades, cells[6], cells[7], _UNUSED]
        for opens, close, trades, cells in zip(
            opened, closes, frame["trade_count"].to_list(), map(_cells, text.splitlines()), strict=True
        )
    ]
    return msgspec.json.encode(klines)


def _cells(line: str) -> list[str | None]:
    return [None if cell in _ABSENT else cell for cell in line.split(",")]


def _symbol(value: str | None) -> str:
    if not value:
        raise mandatory("symbol")
    check_symbol("symbol", value)
    return value


def _interval(value: str | None) -> str:
    if not value:
        raise mandatory("interval")
    if value not in INTERVALS and value not in _OTHER_INTERVALS:
        raise BinanceRefusal(-1120, "Invalid interval.")
    return value


def _whole(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not value:
        raise empty(name)
    if not re.fullmatch(_NUMBER_FORM, value, re.ASCII):
        raise illegal(name, _NUMBER_FORM)
    return int(value)


def _check_time_zone(value: str | None, interval: str) -> None:
    """Let pass a zone in which the candles of an interval are the same as in UTC; others would have to be made up."""
    if value is None:
        return
    found = _TIME_ZONE.fullmatch(value)
    if found is None:
        raise invalid("timeZone")
    sign, hours, minutes = found.groups()
    offset = int(f"{sign}1") * (int(hours) * 60 + int(minutes or 0))
    if not _EARLIEST_ZONE_MINUTES <= offset <= _LATEST_ZONE_MINUTES or int(minutes or 0) > 59:  # noqa: PLR2004
        raise invalid("timeZone")
    length = INTERVALS.get(interval)
    if length is None or offset * MINUTE_MS % length.length_ms:
        raise invalid("timeZone", why=f"The hub holds the {interval} candles of UTC, which are others in that zone.")
