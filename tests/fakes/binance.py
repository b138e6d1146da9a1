"""A fake Binance spot API: time, exchangeInfo and klines with the real one's limits, weights, bans and error codes.

Behaviour after the public API documentation (rest-api.md, errors.md) and quoted error bodies of the live service.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from tests.fakes.candles import LENGTHS_MS, Kline, Listing, Trade, klines
from tests.fakes.clock import Clock
from tests.fakes.faults import Breakage
from tests.fakes.server import Answer, Request
from tests.fakes.upstream import Upstream
from tests.fakes.walk import SCALE

MAJORS: Final = (
    "BTC", "ETH", "BNB", "SOL", "XRP", "DOGE", "ADA", "TRX", "AVAX", "LINK", "DOT", "LTC", "BCH", "XLM", "UNI", "ATOM",
    "NEAR", "APT", "FIL", "ETC",
)  # fmt: skip
_MINUTE_MS: Final = 60_000
_MAX_LIMIT: Final = 1000
_SYMBOL: Final = re.compile(r"[A-Z0-9-_.]{1,20}")
_WEIGHTS: Final = {"/api/v3/time": 1, "/api/v3/exchangeInfo": 20, "/api/v3/klines": 2, "/api/v3/ping": 1}
_BANNED: Final = (
    "Way too much request weight used; IP banned until {until}. "
    "Please use WebSocket Streams for live updates to avoid bans."
)
_TOO_MUCH: Final = (
    "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)


class _Refused(Exception):
    """A request the API refuses with one of its codes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer.of({"code": code, "msg": message}, status=400)


class FakeBinance(Upstream):
    """The exchange. `usdt_pairs` TRADING pairs against USDT, the majors first; also delisted and other-quote ones.

    `moving`: forming candles follow the clock; else they change only by `trade`.
    """

    commands = (
        *Upstream.commands, "trade", "gap", "set_kline", "replay", "list_pair", "delist", "forget_pair", "set_rule",
        "set_weight_limit",
        "set_moving", "unban", "reference",
    )  # fmt: skip

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        port: int = 0,
        latency_s: float = 0.0,
        usdt_pairs: int = 30,
        moving: bool = False,
        weight_limit: int = 6000,
    ) -> None:
        super().__init__(clock=clock, port=port, latency_s=latency_s)
        self.moving = moving
        self.weight_limit = weight_limit
        self.refusals_before_ban = 10
        self.ban_ms = 2 * _MINUTE_MS
        self.banned_until_ms = 0
        self._weight_minute = 0
        self._weight = 0
        self._refusals = 0
        bases = [*MAJORS, *(f"C{number:03d}" for number in range(len(MAJORS), usdt_pairs))][:usdt_pairs]
        self.listings = {f"{base}USDT": Listing(base, "USDT") for base in bases}
        self.unlisted: dict[str, Listing] = {}
        self.listings |= {f"{base}BTC": Listing(base, "BTC") for base in ("ETH", "BNB")}
        self.list_pair(base="GONE", quote="USDT", first_ms=1_600_000_000_000)
        self.delist("GONEUSDT", at_ms=1_650_000_000_000)

    def own_faults(self) -> Mapping[str, Callable[..., Breakage]]:
        """429 with Retry-After, 418 with the time the ban ends, and a clock that runs on while it answers."""
        return {"rate_limited": self._rate_limited, "banned": self._banned, "late_clock": self._late_clock}

    def trade(self, symbol: str, *, factor: float = 1.001, volume: float = 1.0, at_ms: int | None = None) -> None:
        """A trade now (or at a time) at `factor` times the walk's price; it moves the candles that cover it."""
        time_ms = self.clock.now_ms() if at_ms is None else at_ms
        listing = self.listings[symbol]
        price = round(listing.walk.price_at(time_ms) * factor * SCALE)
        listing.trades.append(Trade(time_ms, price, round(volume * SCALE)))

    def gap(self, symbol: str, *, start_ms: int, end_ms: int) -> None:
        """An outage: nothing was traded in [start, end)."""
        self.listings[symbol].gaps.append((start_ms, end_ms))

    def set_kline(self, symbol: str, interval: str, *, open_time: int, kline: Kline | None) -> None:
        """Answer with this row for one candle of one interval, whatever it holds; None: leave the candle out."""
        self.listings[symbol].overrides[interval][open_time] = kline

    def replay(self, symbol: str, interval: str, *, rows: list[Kline]) -> None:
        """Answer from these rows only."""
        self.listings[symbol].replays[interval] = rows

    def list_pair(self, *, base: str, quote: str, first_ms: int) -> None:
        """A new pair that trades since `first_ms`."""
        self.listings[f"{base}{quote}"] = Listing(base, quote, first_ms=first_ms)

    def set_rule(self, symbol: str, kind: str, **values: object) -> None:
        """Other values of one of a pair's rules for orders; whatever they are, they are told."""
        self.listings[symbol].rules[kind] = values

    def forget_pair(self, symbol: str) -> None:
        """The exchange does not list a pair at all any more; its old candles still answer."""
        self.unlisted[symbol] = self.listings.pop(symbol)

    def delist(self, symbol: str, *, at_ms: int) -> None:
        """End a pair: it is not TRADING any more, its old candles still answer."""
        self.listings[symbol].status, self.listings[symbol].last_ms = "BREAK", at_ms

    def set_weight_limit(self, *, limit: int, refusals_before_ban: int = 10, ban_ms: int = 2 * _MINUTE_MS) -> None:
        """Allow this weight a minute; whoever goes on asking after so many refusals is banned."""
        self.weight_limit, self.refusals_before_ban, self.ban_ms = limit, refusals_before_ban, ban_ms

    def set_moving(self, *, moving: bool) -> None:
        """Whether forming candles follow the clock."""
        self.moving = moving

    def unban(self) -> None:
        """Forget all weight, refusals and bans."""
        self.banned_until_ms = self._refusals = self._weight = 0

    def reference(self, symbol: str, interval: str, *, limit: int = 500) -> list[Kline]:
        """What klines answers for the newest candles now, for comparisons, without HTTP, weight or faults."""
        now_ms = self.clock.now_ms()
        return klines(
            self.listings[symbol], interval, start_ms=None, end_ms=None, limit=limit, now_ms=now_ms, moving=self.moving
        )

    def route(self, request: Request) -> Answer:
        """Weigh the request, then answer it."""
        now_ms = self.clock.now_ms()
        refusal = self._weighed(request.path, now_ms)
        try:
            answer = refusal or self._routed(request, now_ms)
        except _Refused as refused:
            answer = refused.answer
        return Answer(answer.status, answer.body, headers={**answer.headers, "X-MBX-USED-WEIGHT-1M": str(self._weight)})

    def _routed(self, request: Request, now_ms: int) -> Answer:
        match request.path:
            case "/api/v3/time":
                return Answer.of({"serverTime": now_ms})
            case "/api/v3/ping":
                return Answer.of({})
            case "/api/v3/exchangeInfo":
                return self._exchange_info(request.params, now_ms)
            case "/api/v3/klines":
                return self._klines(request.params, now_ms)
        return Answer(404, b"<html><body>404 Not found</body></html>", content_type="text/html")

    def _weighed(self, path: str, now_ms: int) -> Answer | None:
        if now_ms < self.banned_until_ms:
            return self._ban_answer(self.banned_until_ms, now_ms)
        if now_ms // _MINUTE_MS != self._weight_minute:
            self._weight_minute, self._weight, self._refusals = now_ms // _MINUTE_MS, 0, 0
        self._weight += _WEIGHTS.get(path, 1)
        if self._weight <= self.weight_limit:
            return None
        self._refusals += 1
        if self._refusals > self.refusals_before_ban:
            self.banned_until_ms = now_ms + self.ban_ms
            return self._ban_answer(self.banned_until_ms, now_ms)
        return self._limit_answer(retry_after_s=60 - now_ms % _MINUTE_MS // 1000)

    def _ban_answer(self, until_ms: int, now_ms: int) -> Answer:
        retry_after_s = max(1, (until_ms - now_ms) // 1000)
        body = {"code": -1003, "msg": _BANNED.format(until=until_ms)}
        return Answer.of(body, status=418, headers={"Retry-After": str(retry_after_s)})

    def _limit_answer(self, *, retry_after_s: float | None) -> Answer:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        return Answer.of({"code": -1003, "msg": _TOO_MUCH.format(limit=self.weight_limit)}, status=429, headers=headers)

    def _rate_limited(self, retry_after_s: float | None = 7) -> Breakage:
        return lambda _: self._limit_answer(retry_after_s=retry_after_s)

    def _banned(self, until_ms: int, retry_after: bool = True) -> Breakage:
        def banned(_: Answer) -> Answer:
            answer = self._ban_answer(until_ms, self.clock.now_ms())
            return answer if retry_after else Answer(answer.status, answer.body)

        return banned

    def _late_clock(self, by_ms: int) -> Breakage:
        def late(answer: Answer) -> Answer:
            self.clock.advance(by_ms)
            return answer

        return late

    def _klines(self, params: Mapping[str, str], now_ms: int) -> Answer:
        symbol, interval = _mandatory(params, "symbol"), _mandatory(params, "interval")
        if not _SYMBOL.fullmatch(symbol):
            raise _illegal("symbol", "[A-Z0-9-_.]")
        if interval not in LENGTHS_MS:
            raise _Refused(-1120, "Invalid interval.")
        listing = self.listings.get(symbol) or self.unlisted.get(symbol)
        if listing is None:
            raise _Refused(-1121, "Invalid symbol.")
        start_ms, end_ms = _whole(params, "startTime"), _whole(params, "endTime")
        limit = _whole(params, "limit")
        if limit == 0:
            raise _Refused(-1130, "Data sent for parameter 'limit' is not valid.")
        limit = min(500 if limit is None else limit, _MAX_LIMIT)
        return Answer.of(
            klines(listing, interval, start_ms=start_ms, end_ms=end_ms, limit=limit, now_ms=now_ms, moving=self.moving)
        )

    def _exchange_info(self, params: Mapping[str, str], now_ms: int) -> Answer:
        status = params.get("symbolStatus")
        symbols = [
            _described(symbol, listing)
            for symbol, listing in self.listings.items()
            if status is None or listing.status == status
        ]
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight_limit}
        return Answer.of({"timezone": "UTC", "serverTime": now_ms, "rateLimits": [limit], "symbols": symbols})


def _described(symbol: str, listing: Listing) -> dict[str, object]:
    return {
        "symbol": symbol,
        "status": listing.status,
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [{"filterType": kind, **values} for kind, values in listing.rules.items()],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _illegal(name: str, legal: str) -> _Refused:
    return _Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^{legal}{{1,20}}$'.")


def _mandatory(params: Mapping[str, str], name: str) -> str:
    value = params.get(name)
    if not value:
        raise _Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def _whole(params: Mapping[str, str], name: str) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", value):
        raise _illegal(name, "[0-9]")
    return int(value)
