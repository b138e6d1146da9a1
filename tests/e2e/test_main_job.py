"""The main job with real processes: the same numbers upstream, in SQLite, in load_dataset and in the API."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.stack import COINS, HISTORY, INTERVALS, SYMBOLS, Stack
from tests.fakes import FakeBinance, FakeCoinGecko

pytestmark = pytest.mark.timeout(300)

MARKET, OHLC = "crypto-market-data", "crypto-ohlc-data"


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _upstream_candles(binance: FakeBinance) -> dict[tuple[str, str, int], tuple[float, ...]]:
    return {
        (symbol, interval, int(str(kline[0]))): tuple(float(str(value)) for value in kline[1:6])
        for symbol in SYMBOLS
        for interval in INTERVALS
        for kline in binance.reference(symbol, interval, limit=HISTORY)
    }


def test_prices_are_the_same_everywhere(stack: Stack, coingecko: FakeCoinGecko) -> None:
    upstream: dict[str, Any] = {
        item["id"]: (item["current_price"], item["market_cap"], _ms(item["last_updated"]))
        for item in coingecko.reference()[:COINS]
    }
    answered = {
        row["coin_id"]: (row["price"], row["market_cap"], _ms(row["timestamp"]))
        for row in stack.get("/api/hub/market", limit=10_000, max_age=30 * 86_400)
    }
    loaded = {
        row["coin_id"]: (row["price"], row["market_cap"], row["timestamp"])
        for row in stack.load_dataset(f"local/{MARKET}")
    }
    with closing(sqlite3.connect(stack.home / "cache.sqlite3")) as cache:
        cached = {
            coin_id: (price, cap, timestamp)
            for coin_id, price, cap, timestamp in cache.execute(
                "SELECT coin_id, price, market_cap, timestamp FROM cached_market_data"
            )
        }
    assert upstream == answered
    assert upstream == loaded
    assert upstream == cached


def test_candles_are_the_same_everywhere(stack: Stack, binance: FakeBinance) -> None:
    upstream = _upstream_candles(binance)
    answered = {
        (row["symbol"], row["interval"], _ms(row["timestamp"])): tuple(
            row[name] for name in ("open", "high", "low", "close", "volume")
        )
        for symbol in SYMBOLS
        for interval in INTERVALS
        for row in stack.get("/api/hub/ohlc", symbol=symbol, interval=interval, limit=10_000)
    }
    loaded = {
        (row["symbol"], row["interval"], row["timestamp"]): tuple(
            row[name] for name in ("open", "high", "low", "close", "volume")
        )
        for row in stack.load_dataset(f"local/{OHLC}")
    }
    with closing(sqlite3.connect(stack.home / "cache.sqlite3")) as cache:
        cached = {
            (symbol, interval, timestamp): tuple(values)
            for symbol, interval, timestamp, *values in cache.execute(
                "SELECT symbol, interval, timestamp, open, high, low, close, volume FROM cached_ohlc"
            )
        }
    assert upstream == answered
    assert upstream == loaded
    assert upstream == cached


def test_the_newest_candle_is_marked_as_forming(stack: Stack) -> None:
    candles = stack.get("/api/hub/ohlc", symbol="BTCUSDT", interval="1h", limit=HISTORY)
    assert [candle["closed"] for candle in candles] == [True] * (HISTORY - 1) + [False]


def test_a_config_names_an_interval(stack: Stack) -> None:
    rows = stack.load_dataset(f"local/{OHLC}", "4h")
    assert {row["interval"] for row in rows} == {"4h"}
    assert len(rows) == len(SYMBOLS) * HISTORY


def test_ticks_without_news_make_no_commit(stack: Stack) -> None:
    before = {repo: stack.commits(repo) for repo in (MARKET, OHLC)}
    _wait_out_a_roll()
    stack.wait_for_tick("market")
    stack.wait_for_tick("ohlc")
    assert {repo: stack.commits(repo) for repo in (MARKET, OHLC)} == before


def test_a_trade_changes_exactly_that_candle(stack: Stack, binance: FakeBinance) -> None:
    _wait_out_a_roll()
    old_commit = stack.head(OHLC)
    old = {_key(row): row for row in stack.load_dataset(f"local/{OHLC}", revision=old_commit)}
    binance.trade("SOLUSDT", factor=1.02)
    stack.wait_for(lambda: stack.head(OHLC) != old_commit, "commit with the trade")
    new = {_key(row): row for row in stack.load_dataset(f"local/{OHLC}", revision=stack.head(OHLC))}
    changed = {key for key in new if new[key] != old.get(key)}
    assert {key[:2] for key in changed} == {("SOLUSDT", interval) for interval in INTERVALS}
    assert len(changed) == len(INTERVALS)
    assert new.keys() == old.keys()
    for key in changed:
        assert not new[key]["closed"]
        assert new[key]["open"] == old[key]["open"]
        assert new[key]["close"] != old[key]["close"]
    newest = stack.wait_for(
        lambda: [
            row for row in stack.get("/api/hub/ohlc", symbol="SOLUSDT", interval="1h", limit=1)
            if row["close"] == new["SOLUSDT", "1h", _ms(row["timestamp"])]["close"]
        ],
        "the trade in the API",
        limit_s=15,
    )  # fmt: skip
    assert not newest[0]["closed"]


def test_one_upstream_down_leaves_the_other_chain_alone(
    stack: Stack, coingecko: FakeCoinGecko, binance: FakeBinance
) -> None:
    coingecko.fail("server_error", times=None)
    try:
        binance.trade("ETHUSDT", factor=0.99)
        stack.wait_for_tick("ohlc")
        problem = stack.wait_for(lambda: stack.get("/api/health")["reasons"], "a reason in /api/health")
        assert any("coingecko" in reason.lower() or "market" in reason.lower() for reason in problem)
    finally:
        coingecko.recover()
    coingecko.release()
    stack.wait_for_tick("market")
    coingecko.hold()


def test_a_killed_process_comes_back(stack: Stack) -> None:
    assert stack.process is not None
    victims = [child for child in psutil.Process(stack.process.pid).children(recursive=True) if _serves_api(child)]
    assert victims, "no API process found"
    for victim in victims:
        victim.kill()
    stack.wait_for(lambda: stack.get("/api/hub/market", limit=1), "the API after a kill", limit_s=60)


def test_stopping_leaves_nothing_behind(stack: Stack) -> None:
    assert stack.process is not None
    family = psutil.Process(stack.process.pid).children(recursive=True)
    assert family
    assert stack.stop() < 10
    _gone, alive = psutil.wait_procs(family, timeout=2)
    assert not alive
    stack.start()
    stack.wait_for(lambda: stack.get("/api/hub/market", limit=1), "the API after a restart")


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["symbol"], row["interval"], row["timestamp"]


def _serves_api(process: psutil.Process) -> bool:
    try:
        return "-m api" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _wait_out_a_roll() -> None:
    """Ten minutes past the hour a window rolls, which is a commit of its own: count none across that moment."""
    past_hour_s = time.time() % 3600
    if 600 - 60 < past_hour_s < 600 + 15:
        time.sleep(600 + 15 - past_hour_s)


def test_times_are_utc(stack: Stack) -> None:
    row = stack.get("/api/hub/market", limit=1)[0]
    assert row["timestamp"].endswith("Z")
    assert datetime.fromisoformat(row["timestamp"]).astimezone(UTC) <= datetime.now(UTC)


def test_the_home_is_outside_the_tree(stack: Stack) -> None:
    assert not stack.home.is_relative_to(Path(__file__).parents[2])
