"""The fakes behave as the real services do: public clients work on them, and their numbers agree with each other."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import ccxt
import httpx
import pytest
from pycoingecko import CoinGeckoAPI

from tests.fakes import Clock, Door, FakeBinance, FakeCoinGecko
from tests.sources.conftest import NOW_MS

HOUR_MS = 3_600_000


def klines(binance: FakeBinance, **params: Any) -> httpx.Response:
    return httpx.get(f"{binance.url}/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1h", **params})


def test_the_public_binance_client_works_on_it(binance: FakeBinance) -> None:
    exchange = ccxt.binance({"enableRateLimit": False, "options": {"fetchMarkets": ["spot"]}})
    exchange.urls["api"]["public"] = f"{binance.url}/api/v3"
    exchange.set_markets([{"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "spot": True}])
    candles = exchange.fetch_ohlcv("BTC/USDT", "1d", limit=3)
    expected = binance.reference("BTCUSDT", "1d", limit=3)
    assert candles == [[row[0], *(float(str(value)) for value in row[1:6])] for row in expected]
    binance.fail("banned", until_ms=NOW_MS + 1000)
    with pytest.raises(ccxt.DDoSProtection, match="banned until"):
        exchange.fetch_ohlcv("BTC/USDT", "1d")
    exchange.close()


def test_the_public_coingecko_client_works_on_it(coingecko: FakeCoinGecko) -> None:
    client = CoinGeckoAPI()
    client.api_base_url = f"{coingecko.url}/"
    found = client.get_coins_markets(vs_currency="usd", per_page=250, page=2)
    assert [item["id"] for item in found] == [item["id"] for item in coingecko.reference()[250:]]
    assert client.get_coins_markets(vs_currency="usd", page=4) == []
    assert len(client.get_coins_markets(vs_currency="usd", per_page=251)) == 250


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"symbol": ""}, -1102),
        ({"symbol": "btc usdt"}, -1100),
        ({"interval": "7h"}, -1120),
        ({"interval": ""}, -1102),
        ({"limit": "many"}, -1100),
        ({"limit": "0"}, -1130),
        ({"startTime": "noon"}, -1100),
    ],
)
def test_wrong_requests_are_refused_with_the_exchanges_codes(
    binance: FakeBinance, params: dict[str, str], code: int
) -> None:
    answer = klines(binance, **params)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_klines_by_start_end_and_limit(binance: FakeBinance) -> None:
    newest = NOW_MS // HOUR_MS * HOUR_MS

    def opens(**params: int) -> list[int]:
        return [row[0] for row in klines(binance, **params).json()]

    assert len(opens()) == 500
    assert len(opens(limit=5000)) == 1000
    assert opens(limit=3) == [newest - 2 * HOUR_MS, newest - HOUR_MS, newest]
    assert opens(startTime=newest - 9 * HOUR_MS + 1, limit=2) == [newest - 8 * HOUR_MS, newest - 7 * HOUR_MS]
    assert opens(endTime=newest - 1, limit=2) == [newest - 2 * HOUR_MS, newest - HOUR_MS]
    assert opens(startTime=newest - 3 * HOUR_MS, endTime=newest - 2 * HOUR_MS) == [
        newest - 3 * HOUR_MS,
        newest - 2 * HOUR_MS,
    ]
    assert opens(startTime=newest + 1) == []
    assert opens(startTime=0, limit=1) == [1_502_928_000_000]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "C025USDT"])
@pytest.mark.parametrize(("name", "hours"), [("4h", 4), ("1d", 24)])
def test_longer_candles_are_made_of_hours(binance: FakeBinance, symbol: str, name: str, hours: int) -> None:
    binance.gap(symbol, start_ms=NOW_MS - 70 * HOUR_MS, end_ms=NOW_MS - 60 * HOUR_MS)
    binance.trade(symbol, factor=2.0)
    by_hour = binance.reference(symbol, "1h", limit=1000)
    for candle in binance.reference(symbol, name, limit=5):
        parts = [row for row in by_hour if int(str(candle[0])) <= int(str(row[0])) <= int(str(candle[6]))]
        numbers = [[float(str(value)) for value in row[1:6]] for row in parts]
        assert float(str(candle[1])) == numbers[0][0]
        assert float(str(candle[2])) == max(row[1] for row in numbers)
        assert float(str(candle[3])) == min(row[2] for row in numbers)
        assert float(str(candle[4])) == numbers[-1][3]
        assert float(str(candle[5])) == pytest.approx(sum(row[4] for row in numbers))
        assert candle[8] == sum(int(str(row[8])) for row in parts)
        assert len(parts) <= hours


def test_a_forming_candle_grows_until_it_closes_and_then_rests(clock: Clock) -> None:
    binance = FakeBinance(clock=clock, moving=True)
    start = NOW_MS // HOUR_MS * HOUR_MS
    seen = []
    for at_ms in (*range(start, start + HOUR_MS, 97_000), start + HOUR_MS, start + 3 * HOUR_MS):
        clock.stop(at_ms)
        (row,) = [row for row in binance.reference("SOLUSDT", "1h", limit=5) if row[0] == start]
        seen.append([float(str(value)) for value in row[1:6]])
    for before, after in pairwise(seen):
        assert before[0] == after[0]
        assert before[1] <= after[1]
        assert before[2] >= after[2]
        assert before[4] <= after[4]
    assert len({tuple(row) for row in seen}) > 30
    assert seen[-1] == seen[-2]


def test_weight_is_counted_refused_and_then_banned(binance: FakeBinance, clock: Clock) -> None:
    binance.set_weight_limit(limit=4, refusals_before_ban=1)
    answers = [klines(binance) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 418, 418]
    assert [answer.headers["x-mbx-used-weight-1m"] for answer in answers] == ["2", "4", "6", "8", "8"]
    assert answers[2].headers["retry-after"] == "5"
    assert answers[3].headers["retry-after"] == "120"
    assert f"banned until {NOW_MS + 120_000}" in answers[3].json()["msg"]
    clock.advance(120_000)
    assert klines(binance).status_code == 200


def test_the_fakes_run_as_a_process_with_a_control_door() -> None:
    command = [sys.executable, "-m", "tests.fakes", "--clock-at-ms", str(NOW_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            urls = json.loads(process.stdout.readline())
            door = Door(urls["binance"][0])
            here = FakeBinance(clock=Clock(NOW_MS))
            url = f"{urls['binance'][0]}/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=3"
            assert httpx.get(url).json() == here.reference("BTCUSDT", "1h", limit=3)
            door.call("fail", kind="rate_limited", retry_after_s=9)
            assert httpx.get(url).headers["retry-after"] == "9"
            assert door.call("counts")["requests"] == 2
            assert httpx.get(f"{urls['coingecko']}/coins/markets?vs_currency=usd").status_code == 200
            with pytest.raises(ValueError, match="unknown command 'explode'"):
                door.call("explode")
            with pytest.raises(ValueError, match="unknown fault"):
                door.call("fail", kind="explode")
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0


def test_a_thousand_requests_take_little_time(binance: FakeBinance) -> None:
    started = time.perf_counter()
    with httpx.Client(base_url=binance.url) as client:
        for _ in range(1000):
            client.get("/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=3").raise_for_status()
    assert time.perf_counter() - started < 10
