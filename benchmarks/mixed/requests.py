"""What each kind of client asks: seeded, without end, and hardly anything twice but what is meant to be hot."""

import random
from collections.abc import Iterator
from itertools import count, cycle
from typing import Final
from urllib.parse import urlencode

from benchmarks.made.candles import INTERVALS, NOW_MS, SYMBOLS, symbol_name
from benchmarks.made.questions import HOT, Format, bulk, cold, daily
from benchmarks.measuring.load import Server, get
from benchmarks.servers.product import bulk_request, daily_request, newest_path
from datahub_assets.domain.times import DAY_MS, HOUR_MS

KINDS: Final = {
    "hot rows": 12,
    "cold rows": 12,
    "bulk": 6,
    "all coins": 2,
    "SQL": 6,
    "diff": 4,
    "coverage": 3,
    "drop-ins": 5,
}
"""Clients of each kind: fifty. Each waits for its answer before it asks again."""
_DIFFERENT: Final = 20_000
"""Questions of a kind before the first of them comes again."""


def requests_of(kind: str, server: Server, *, since: str, seed: int) -> Iterator[bytes]:
    """The requests of all clients of that kind; `since` is a commit of the candles from before the load."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    paths: Iterator[str]
    match kind:
        case "hot rows":
            paths = cycle([newest_path(HOT), "/api/hub/market?limit=250"])
        case "cold rows":
            paths = (newest_path(one) for one in cycle(cold(_DIFFERENT, seed=seed)))
        case "bulk":
            made = zip(*(bulk(_DIFFERENT, seed=seed, answer_format=one) for one in Format), strict=True)
            return (bulk_request(server, one) for turn in cycle(made) for one in turn)
        case "all coins":
            paths = (_all_coins(chance) for _ in count())
        case "SQL":
            return (daily_request(server, one) for one in cycle(daily(_DIFFERENT, seed=seed)))
        case "diff":
            paths = (f"/api/hub/diff?dataset=ohlc&from={since}&limit={chance.randint(500, 2000)}" for _ in count())
        case "coverage":
            paths = (f"/api/hub/coverage?dataset=ohlc{_symbol(chance)}" for _ in count())
        case "drop-ins":
            paths = (_drop_in(chance) for _ in count())
        case _:
            raise ValueError(f"there is no kind of clients {kind!r}")
    return (get(server, path) for path in paths)


def _all_coins(chance: random.Random) -> str:
    """Prices of all coins over some hours."""
    start_ms = NOW_MS - chance.randint(2, 60) * DAY_MS
    asked = {"start": start_ms, "end": start_ms + 30 * DAY_MS, "limit": chance.randint(1_000, 20_000)}
    return "/api/hub/market?" + urlencode(asked | {"format": chance.choice(("json", "csv"))})


def _symbol(chance: random.Random) -> str:
    """One symbol, or all of them."""
    number = chance.randrange(2 * SYMBOLS)
    return f"&symbol={symbol_name(number)}" if number < SYMBOLS else ""


def _drop_in(chance: random.Random) -> str:
    asked = {"symbol": symbol_name(chance.randrange(SYMBOLS)), "interval": chance.choice(INTERVALS)}
    start_ms = NOW_MS - chance.randint(24, 2_000) * HOUR_MS
    klines = "/binance/api/v3/klines?" + urlencode(asked | {"startTime": start_ms, "limit": chance.randint(100, 1000)})
    page = chance.randint(1, 5)
    markets = f"/coingecko/api/v3/coins/markets?vs_currency=usd&per_page={chance.randint(10, 100)}&page={page}"
    return chance.choice((klines, klines, markets))
