"""Binance's spot market data: pairs and klines.

Endpoints and weights: binance-spot-api-docs, rest-api.md.
"""

from functools import partial
from typing import Final

import msgspec

from datahub_assets.datasets.candles.intervals import Interval
from datahub_assets.sources.binance.exchange import BinanceApi, Params, shaped

MOST_KLINES: Final = 1000
"""Most candles of one answer; a larger wish is silently cut to this."""
TRADING: Final = "TRADING"
"""The status of a pair that is traded now."""
_KLINES: Final = ("/api/v3/klines", 2)
_EXCHANGE_INFO: Final = ("/api/v3/exchangeInfo", 20)


class Pair(msgspec.Struct, frozen=True):
    """A pair as exchangeInfo tells it; `status` is TRADING, BREAK and such."""

    symbol: str
    status: str
    quote: str = msgspec.field(name="quoteAsset")
    spot: bool = msgspec.field(name="isSpotTradingAllowed", default=True)


class _Limit(msgspec.Struct):
    kind: str = msgspec.field(name="rateLimitType")
    interval: str
    intervals: int = msgspec.field(name="intervalNum")
    limit: int


class _ExchangeInfo(msgspec.Struct):
    symbols: list[Pair]
    limits: list[_Limit] = msgspec.field(name="rateLimits", default_factory=list)


class Binance(BinanceApi):
    """The exchange, asked for what candles are made of."""

    async def trading_symbols(self, quote: str) -> tuple[str, ...]:
        """All pairs traded on the spot market against `quote` (`USDT`), in the exchange's order.

        Raises:
            SourceError: no host answered it.
        """
        # A host may ignore the filters, which only make the answer smaller; so the rows are looked at anyway.
        wanted = {"permissions": "SPOT", "symbolStatus": "TRADING", "showPermissionSets": "false"}
        pairs = await self._pairs(wanted)
        return tuple(p.symbol for p in pairs if p.status == TRADING and p.spot and p.quote == quote)

    async def pairs(self) -> tuple[Pair, ...]:
        """All pairs of the exchange, whatever their status.

        Raises:
            SourceError: no host answered it.
        """
        return await self._pairs({"showPermissionSets": "false"})

    async def klines(
        self, symbol: str, interval: Interval, *, start_ms: int | None, end_ms: int, limit: int
    ) -> list[object]:
        """Klines as decoded from JSON that open within [start, end], oldest first.

        With a start the first `limit` from there, else the newest `limit`; `limit` is at most `MOST_KLINES`.

        Raises:
            SourceRejected: the exchange does not know the symbol.
            SourceError: no host answered it.
        """
        params: dict[str, str | int] = {"symbol": symbol, "interval": interval.name, "endTime": end_ms, "limit": limit}
        if start_ms is not None:
            params["startTime"] = start_ms
        return await self.get(*_KLINES, params, read=partial(shaped, shape=list[object]))

    async def _pairs(self, wanted: Params) -> tuple[Pair, ...]:
        """The pairs of exchangeInfo, which also tells the request weight of a minute."""
        info = await self.get(*_EXCHANGE_INFO, wanted, read=partial(shaped, shape=_ExchangeInfo))
        for limit in info.limits:
            if (limit.kind, limit.interval, limit.intervals) == ("REQUEST_WEIGHT", "MINUTE", 1):
                self.budget.limit = limit.limit
        return tuple(info.symbols)
