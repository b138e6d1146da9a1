"""Odd rows of the kinds real recordings hold, hand-made, through the whole chain: each kept as it is or set aside."""

from collections import Counter
from typing import Any

import polars as pl
import pytest

from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.market.spec import MARKET
from tests.faults.conftest import OpenWorld
from tests.faults.hubview import HubView
from tests.faults.subjects.candles import HISTORY
from tests.faults.world import World, all_succeeded

HOUR_MS = 3_600_000


def on_hub(world: World, name: str) -> pl.DataFrame:
    """All rows of the head."""
    spec = {"market": MARKET, "ohlc": OHLC}[name]
    with HubView(world.hub.url) as view:
        head = view.commit(spec, world.history(name)[-1])
    assert not head.doubled(spec)
    assert not list(head.problems(spec))
    return pl.concat(head.frames.values())


@pytest.fixture
def world(open_world: OpenWorld) -> World:
    return open_world("first")


def replayed(world: World, rows: list[list[Any]]) -> pl.DataFrame:
    """The hourly candles of BTCUSDT on the Hub after a tick that was answered with these."""
    world.binance.replay("BTCUSDT", "1h", rows=rows)
    assert all_succeeded(world.light_tick())
    return on_hub(world, "ohlc").filter(symbol="BTCUSDT", interval="1h")


def kline(open_time: int, *, close: str = "10.5", length_ms: int = HOUR_MS, volume: str = "1.0") -> list[Any]:
    return [open_time, "10", "11", "9", close, volume, open_time + length_ms - 1, "10", 3, "0.5", "5", "0"]


def test_captures_of_one_candle_off_the_grid_and_cut_short(world: World) -> None:
    """As an exchange's history has them around outages: the last capture counts, odd times stay what they are."""
    start = world.clock.now_ms() // HOUR_MS * HOUR_MS - 10 * HOUR_MS
    off_grid = start + 4 * HOUR_MS + 1_694_789
    rows = replayed(
        world,
        [
            kline(start, close="9.5"), kline(start, close="10.0"), kline(start, close="10.9"),
            kline(start + HOUR_MS, length_ms=1_200_000),
            kline(off_grid),
            kline(start + 6 * HOUR_MS, volume="0.00000000"),
            kline(start + 7 * HOUR_MS, volume="92233720369.54775808"),
        ],
    ).sort("timestamp")  # fmt: skip
    assert rows.height == 5
    assert rows["close"][0] == 10.9
    assert rows["close_time"].dt.epoch("ms")[1] == start + HOUR_MS + 1_199_999
    assert rows["timestamp"].dt.epoch("ms")[2] == off_grid
    assert rows["volume"].to_list()[3:] == [0.0, 92233720369.54775808]


def test_archive_times_in_microseconds_are_set_aside(world: World) -> None:
    good = world.clock.now_ms() // HOUR_MS * HOUR_MS - 2 * HOUR_MS
    micros = [value * 1000 if place in {0, 6} else value for place, value in enumerate(kline(good + HOUR_MS))]
    world.binance.set_kline("BTCUSDT", "1h", open_time=good + HOUR_MS, kline=micros)
    assert all_succeeded(world.light_tick())
    assert world.quarantined("ohlc") == 1
    assert on_hub(world, "ohlc").filter(symbol="BTCUSDT", interval="1h").height == HISTORY - 1


def test_coins_share_symbols_lack_values_and_lie_outside_their_band(world: World) -> None:
    items: list[Any] = [dict(item) for item in world.coingecko.reference()]
    items[0] |= {"symbol": "usdp", "current_price": items[0]["high_24h"] * 1.046}
    items[1] |= {"symbol": "usdp", "high_24h": None, "low_24h": None, "price_change_percentage_24h": None}
    items[2] |= {"current_price": 2.673e-05, "last_updated": "2025-12-28T01:02:03.004Z"}
    items[3] |= {"market_cap": 3.3e12, "total_volume": 5.40, "market_cap_rank": 1}
    items[4] |= {"symbol": "", "market_cap": 0.0, "market_cap_rank": None}
    items[5] |= {"last_updated": None}
    world.coingecko.replay(items=items)
    assert all_succeeded(world.light_tick())
    rows = {row["coin_id"]: row for row in on_hub(world, "market").iter_rows(named=True)}
    assert world.quarantined("market") == 1
    assert rows.keys() == {item["id"] for item in items[:5]}
    assert Counter(row["symbol"] for row in rows.values())["USDP"] == 2
    assert rows[items[1]["id"]]["high_24h"] is None
    assert rows[items[2]["id"]]["price"] == 2.673e-05
    assert rows[items[4]["id"]]["market_cap_rank"] is None
