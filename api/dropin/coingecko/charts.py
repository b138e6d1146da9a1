"""CoinGecko's coins/{id}/market_chart and coins/{id}/ohlc, made of the rows of prices there are.

Parameters and how far apart the points are follow its documentation (docs.coingecko.com); `days` count back from the
newest row of all coins.
"""

from functools import partial
from typing import Annotated, Final

import msgspec
import polars as pl
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from api.dropin.coingecko.errors import CoinGeckoRefusal
from api.dropin.coingecko.queries import Precision, check_currency, decimals_of
from api.dropin.coingecko.single import check_coin
from api.dropin.queries import DropInQuery
from api.engine.selection.query import NotResident, RowQuery
from api.engine.selection.select import rows_of
from api.engine.snapshot import Snapshot
from api.http.reading import RevisionChoice
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.domain.times import DAY_MS, HOUR_MS, MINUTE_MS

_MAX: Final = "max"
_MOST_DAYS: Final = 36_500
_OHLC_DAYS: Final = ("1", "7", "14", "30", "90", "180", "365", _MAX)
_INTERVALS: Final = {"5m": 5 * MINUTE_MS, "hourly": HOUR_MS, "daily": DAY_MS}
_FINE_DAYS, _HOURLY_DAYS = 1, 90
_HALF_HOURLY_DAYS, _FOUR_HOURLY_DAYS = 2, 30
_EVERY_ROW: Final = 1 << 40
Currency = Annotated[str | None, QueryParameter(description="mandatory: `usd`")]


class Chart(msgspec.Struct, frozen=True, array_like=True):
    """A request for a chart in its normal form.

    Attributes:
        days: how many the chart goes back; None as far as there are rows.
        step_ms: how far its points are apart.
        decimals: of prices; None for all there are.
    """

    coin_id: str
    days: int | None
    step_ms: int
    decimals: int | None


def chart_query(
    *,
    choice: NamedDependency[RevisionChoice],
    coin_id: FromPath[str],
    vs_currency: Currency = None,
    days: Annotated[str | None, QueryParameter(description="mandatory: a whole number from 1 on, or `max`")] = None,
    interval: Annotated[
        str | None,
        QueryParameter(description="`5m`, `hourly` or `daily`; without it, as fit for `days`"),
    ] = None,
    precision: Precision = None,
) -> DropInQuery:
    """A request for coins/{id}/market_chart at a commit.

    Raises:
        CoinGeckoRefusal: a parameter is missing or not valid.
    """
    check_currency(vs_currency)
    count = _days(days)
    if interval and interval not in _INTERVALS:
        raise CoinGeckoRefusal(f"Invalid interval; valid: {', '.join(_INTERVALS)}")
    fit = "daily" if count is None or count > _HOURLY_DAYS else "hourly" if count > _FINE_DAYS else "5m"
    asked = Chart(coin_id, count, _INTERVALS[interval or fit], decimals_of(precision))
    return _query(choice, asked, make=partial(chart_json, asked=asked))


def ohlc_query(
    *,
    choice: NamedDependency[RevisionChoice],
    coin_id: FromPath[str],
    vs_currency: Currency = None,
    days: Annotated[str | None, QueryParameter(description=f"mandatory: one of {', '.join(_OHLC_DAYS)}")] = None,
    precision: Precision = None,
) -> DropInQuery:
    """A request for coins/{id}/ohlc at a commit.

    Raises:
        CoinGeckoRefusal: a parameter is missing or not valid.
    """
    check_currency(vs_currency)
    if days and days not in _OHLC_DAYS:
        raise CoinGeckoRefusal(f"Invalid days; valid: {', '.join(_OHLC_DAYS)}")
    count = _days(days)
    step_ms = 4 * DAY_MS
    if count is not None and count <= _FOUR_HOURLY_DAYS:
        step_ms = HOUR_MS // 2 if count <= _HALF_HOURLY_DAYS else 4 * HOUR_MS
    asked = Chart(coin_id, count, step_ms, decimals_of(precision))
    return _query(choice, asked, make=partial(ohlc_json, asked=asked))


def _query(choice: RevisionChoice, asked: Chart, *, make: "partial[bytes]") -> DropInQuery:
    return DropInQuery(MARKET.name, asked, choice, make=make, check=partial(check_coin, coin_id=asked.coin_id))


def _days(text: str | None) -> int | None:
    if not text:
        raise CoinGeckoRefusal("Missing parameter days")
    if text == _MAX:
        return None
    digits = text.lstrip("0")
    if not (text.isascii() and text.isdigit() and digits):
        raise CoinGeckoRefusal(f"Invalid days; valid: a whole number from 1 on, or {_MAX}")
    return _MOST_DAYS if len(digits) > len(str(_MOST_DAYS)) else min(int(digits), _MOST_DAYS)


def chart_json(snapshot: Snapshot, asked: Chart, *, resident_only: bool) -> bytes:
    """Prices, market caps and volumes: of each step the first row there is, at its own time, and the newest row.

    Raises:
        CoinNotFound: there is no such coin.        NotResident: as `rows_of`.
    """
    start_ms = 0 if asked.days is None else (snapshot.newest_ms or 0) - asked.days * DAY_MS
    rows = _rows(snapshot, asked, start_ms, "price", "market_cap", "volume_24h", resident_only=resident_only)
    points = rows.unique("step", keep="first", maintain_order=True)
    if rows.height and points["at_ms"][-1] != rows["at_ms"][-1]:
        points = pl.concat([points, rows.tail(1)])
    at_ms = points["at_ms"].to_list()
    fields = {"prices": "price", "market_caps": "market_cap", "total_volumes": "volume_24h"}
    return msgspec.json.encode(
        {field: list(zip(at_ms, points[column].to_list(), strict=True)) for field, column in fields.items()}
    )


def ohlc_json(snapshot: Snapshot, asked: Chart, *, resident_only: bool) -> bytes:
    """Candles of the prices there are, oldest first: the time of the end, first, highest, lowest, last price.

    Steps lie on a grid that starts at the epoch; the last one may not have ended. Raises as `chart_json`.
    """
    end_ms = ((snapshot.newest_ms or 0) // asked.step_ms + 1) * asked.step_ms
    start_ms = 0 if asked.days is None else -((asked.days * DAY_MS - end_ms) // asked.step_ms) * asked.step_ms
    rows = _rows(snapshot, asked, start_ms, "price", resident_only=resident_only)
    price = pl.col("price")
    candles = rows.group_by("step", maintain_order=True).agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close")
    )
    candles = candles.with_columns((pl.col("step") + 1) * asked.step_ms)
    return msgspec.json.encode(candles.rows())


def _rows(snapshot: Snapshot, asked: Chart, start_ms: int, *columns: str, resident_only: bool) -> pl.DataFrame:
    """The coin's rows from then on, oldest first, with their time `at_ms` and the number of their `step`."""
    check_coin(snapshot, coin_id=asked.coin_id)
    if resident_only and (asked.days is None or asked.days > _FINE_DAYS):  # many rows take more than a moment
        raise NotResident
    wanted = RowQuery(
        dataset=MARKET.name,
        filters=(("coin_ids", (asked.coin_id,)),),
        columns=(MARKET.time, *columns),
        limit=_EVERY_ROW,
        descending=False,
        start_ms=start_ms,
    )
    rows = rows_of(snapshot, wanted, resident_only=resident_only).frame
    if asked.decimals is not None:
        rows = rows.with_columns(pl.col("price").round(asked.decimals))
    at_ms = pl.col(MARKET.time).dt.epoch("ms")
    return rows.select(at_ms.alias("at_ms"), (at_ms // asked.step_ms).alias("step"), *columns)
