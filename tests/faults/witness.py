"""Fakes that remember every row they served, and what those rows must look like downstream.

Says nothing by the product's own code: how an upstream's answer reads as a row is written down here a second time.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec
from tests.fakes import FakeBinance, FakeCoinGecko
from tests.fakes.server import Answer, Request

Key = tuple[object, ...]
Row = tuple[object, ...]
Versions = dict[Key, set[Row]]
"""By key, all that was ever said of it: each row's content, in the order of `CONTENT`."""

_MARKET_FIELDS: Final = {
    "coin_id": "id", "name": "name", "price": "current_price", "market_cap": "market_cap",
    "market_cap_rank": "market_cap_rank", "volume_24h": "total_volume", "change_24h": "price_change_percentage_24h",
    "high_24h": "high_24h", "low_24h": "low_24h", "price_change_24h": "price_change_24h",
    "circulating_supply": "circulating_supply", "total_supply": "total_supply", "max_supply": "max_supply",
    "fully_diluted_valuation": "fully_diluted_valuation", "ath": "ath", "atl": "atl",
}  # fmt: skip
_KLINE: Final = {
    "timestamp": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "close_time": 6, "quote_volume": 7,
    "trade_count": 8, "taker_buy_volume": 9, "taker_buy_quote_volume": 10,
}  # fmt: skip
CONTENT: Final = {
    spec.name: tuple(name for name in spec.column_names if name != "ingested_at") for spec in (MARKET, OHLC)
}
"""The columns that make a row what it is; when it was fetched is not the upstream's to say."""


class WatchedCoinGecko(FakeCoinGecko):
    """Remembers what it answered."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.served: Versions = defaultdict(set)

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        items = json.loads(answer.body)
        if answer.status == 200 and isinstance(items, list):
            for item in items:
                if _is_sound(item):
                    _remember(self.served, MARKET, _market_row(item))
        return answer


class WatchedBinance(FakeBinance):
    """Remembers what it answered."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.served: Versions = defaultdict(set)
        self._told_ms = 0

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        if answer.status == 200 and request.path.endswith("/time"):
            self._told_ms = json.loads(answer.body)["serverTime"]
        if answer.status == 200 and request.path.endswith("/klines"):
            for kline in json.loads(answer.body):
                if "" in kline:  # a test broke it: there is no row to be made of it
                    continue
                row = candle_row(request.params["symbol"], request.params["interval"], kline, at_ms=self._told_ms)
                _remember(self.served, OHLC, row)
        return answer

    def everything(self, symbols: tuple[str, ...], intervals: tuple[str, ...], *, limit: int) -> dict[Key, Row]:
        """The newest candles of each series as they are now, by key."""
        rows = [
            candle_row(symbol, interval, kline, at_ms=self.clock.now_ms())
            for symbol in symbols
            for interval in intervals
            for kline in self.reference(symbol, interval, limit=limit)
        ]
        return {key_of(OHLC, row): content_of(OHLC, row) for row in rows}


def current_prices(coingecko: FakeCoinGecko) -> dict[Key, Row]:
    """What CoinGecko says now, by key."""
    rows = [_market_row(item) for item in coingecko.reference() if _is_sound(item)]
    return {key_of(MARKET, row): content_of(MARKET, row) for row in rows}


def candle_row(symbol: str, interval: str, kline: list[Any], *, at_ms: int) -> dict[str, object]:
    """A kline as a row, as seen at a time of the exchange's clock."""
    values = {name: kline[place] for name, place in _KLINE.items()}
    numbers = {name: float(value) if isinstance(value, str) else value for name, value in values.items()}
    return {
        "symbol": symbol,
        "interval": interval,
        **numbers,
        "closed": int(kline[6]) < at_ms,
        "provider": "binance",
    }


def key_of(spec: DatasetSpec, row: Mapping[str, object]) -> Key:
    return tuple(row[name] for name in spec.key)


def content_of(spec: DatasetSpec, row: Mapping[str, object]) -> Row:
    return tuple(row[name] for name in CONTENT[spec.name])


def _remember(versions: Versions, spec: DatasetSpec, row: Mapping[str, object]) -> None:
    versions[key_of(spec, row)].add(content_of(spec, row))


def _market_row(item: Mapping[str, Any]) -> dict[str, object]:
    values = {column: item[field] for column, field in _MARKET_FIELDS.items()}
    return {
        **{name: float(value) if _is_number(name, value) else value for name, value in values.items()},
        "symbol": item["symbol"].upper(),
        "ath_date": _ms(item["ath_date"]),
        "atl_date": _ms(item["atl_date"]),
        "provider": "coingecko",
        "timestamp": _ms(item["last_updated"]),
    }


def _is_number(name: str, value: object) -> bool:
    return isinstance(value, int | float) and name != "market_cap_rank"


def _is_sound(item: Mapping[str, Any]) -> bool:
    """Whether it has a stamp and all its numbers are some: all that the tests of this folder let be wrong with one."""
    return item["last_updated"] is not None and all(
        math.isfinite(value) for value in item.values() if isinstance(value, float)
    )


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
