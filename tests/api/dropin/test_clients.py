"""ccxt, python-binance and pycoingecko, as they are installed, against a running server: base URL and key changed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localhub.testing import HubServer
from tests.api.process import serving_process
from tests.api.workers import HOUR_MS, NOW_MS, Workers, candles, prices

CCXT = """
exchange = ccxt.binance({
    "urls": {"api": {"public": BASE + "/binance/api/v3"}},
    "headers": {"Authorization": "Bearer " + TOKEN},
    "options": {"fetchMarkets": {"types": ["spot"]}},
})
"""
BINANCE = """
client = Client(api_key=TOKEN, ping=False)
client.API_URL = BASE + "/binance/api"
"""
COINGECKO = """
gecko = CoinGeckoAPI(demo_api_key=TOKEN)
gecko.api_base_url = BASE + "/coingecko/api/v3/"
"""


@dataclass(frozen=True)
class Server:
    url: str
    token: str

    def run(self, package: str, script: str) -> Any:
        """What a script of a user prints as JSON; `BASE` and `TOKEN` are what it is told."""
        code = (
            f"import json\n{package}\nBASE, TOKEN = {self.url!r}, {self.token!r}\n"
            f"def show(value): print(json.dumps(value))\n{script}"
        )
        # python-binance uses what websockets deprecates, which is between the two of them.
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr.replace(self.token, "…")
        return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture(scope="module")
def server(hub: HubServer, seeded: Workers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_process(hub, tmp_path_factory.mktemp("home")) as url:
        yield Server(url, hub.token)


@pytest.fixture(scope="module")
def hours() -> list[list[float]]:
    """The published candles of BTCUSDT, oldest first, as time, open, high, low, close, volume."""
    rows = candles(("BTCUSDT",)).sort("timestamp")
    return [
        [
            int(row["timestamp"].timestamp()) * 1000,
            *(round(row[name], 8) for name in ("open", "high", "low", "close", "volume")),
        ]
        for row in rows.iter_rows(named=True)
    ]


def test_ccxt_reads_candles_and_markets(server: Server, hours: list[list[float]]) -> None:
    script = f"""{CCXT}
show(sorted(exchange.load_markets()))
show(exchange.market("BTC/USDT")["active"])
show(exchange.fetch_time())
show(exchange.fetch_ohlcv("BTC/USDT", "1h"))
show(exchange.fetch_ohlcv("BTC/USDT", "1h", since={hours[10][0]}, limit=3))
show(exchange.fetch_ohlcv("BTC/USDT", "1h", since={hours[10][0]}, params={{"until": {hours[14][0]}}}))
"""
    markets, active, now_ms, newest, since, between = server.run("import ccxt", script)
    assert markets == ["BTC/USDT", "ETH/USDT"]
    assert active is True
    assert abs(now_ms - time.time_ns() // 1_000_000) < HOUR_MS
    assert newest == [pytest.approx(row) for row in hours]
    assert since == [pytest.approx(row) for row in hours[10:13]]
    assert between == [pytest.approx(row) for row in hours[10:15]]


def test_ccxt_names_what_is_wrong(server: Server) -> None:
    script = f"""{CCXT}
def failing(call):
    try: call()
    except ccxt.BaseError as error: show([type(error).__name__, str(error)])
failing(lambda: exchange.publicGetKlines({{"symbol": "NOPEUSDT", "interval": "1h"}}))
failing(lambda: exchange.publicGetKlines({{"symbol": "BTCUSDT", "interval": "7h"}}))
failing(lambda: exchange.fetch_order_book("BTC/USDT"))
exchange.headers = {{}}
failing(lambda: exchange.fetch_time())
exchange.headers = {{"Authorization": "Bearer hf_nobodysToken0"}}
failing(lambda: exchange.fetch_time())
"""
    kinds = [kind for kind, _ in server.run("import ccxt", script)]
    assert kinds == ["BadSymbol", "BadRequest", "BadRequest", "AuthenticationError", "AuthenticationError"]


def test_ccxt_reads_tickers(server: Server, hours: list[list[float]]) -> None:
    script = f"""{CCXT}
ticker = exchange.fetch_ticker("BTC/USDT")
show(ticker)
show(exchange.fetch_tickers())
show(exchange.fetch_tickers(["ETH/USDT"]))
show(exchange.fetch_last_prices(["BTC/USDT"]))
show(exchange.price_to_precision("BTC/USDT", ticker["last"]))
show(exchange.fetch_ohlcv("BTC/USDT", "1h", limit=2))
"""
    ticker, tickers, some, last, price, newest = server.run("import ccxt", script)
    day = hours[-24:]
    assert ticker["symbol"] == "BTC/USDT"
    assert ticker["open"] == pytest.approx(day[0][1])
    assert ticker["high"] == pytest.approx(max(row[2] for row in day))
    assert ticker["low"] == pytest.approx(min(row[3] for row in day))
    assert ticker["last"] == ticker["close"] == pytest.approx(day[-1][4])
    assert ticker["baseVolume"] == pytest.approx(sum(row[5] for row in day))
    assert ticker["previousClose"] == pytest.approx(hours[-25][4])
    assert ticker["percentage"] == pytest.approx((day[-1][4] - day[0][1]) / day[0][1] * 100, abs=0.001)
    assert (ticker["bid"], ticker["ask"]) == (None, None)
    assert ticker["timestamp"] == NOW_MS
    assert sorted(tickers) == ["BTC/USDT", "ETH/USDT"]
    rounded = {"average": None}  # by ccxt, for one of the two
    assert tickers["BTC/USDT"] | rounded == ticker | rounded
    assert sorted(some) == ["ETH/USDT"]
    assert last["BTC/USDT"]["price"] == pytest.approx(day[-1][4])
    assert float(price) == round(day[-1][4], 2) != day[-1][4]
    assert newest == [pytest.approx(row) for row in hours[-2:]]


def test_python_binance_reads_tickers(server: Server, hours: list[list[float]]) -> None:
    script = f"""{BINANCE}
show(client.get_ticker(symbol="BTCUSDT"))
show(client.get_ticker())
show(client.get_symbol_ticker(symbol="BTCUSDT"))
show(client.get_symbol_ticker())
show(client.get_all_tickers())
show(client.get_ui_klines(symbol="BTCUSDT", interval="1h", limit=2))
try: client.get_symbol_ticker(symbol="NOPEUSDT")
except BinanceAPIException as error: show([error.code, error.status_code])
"""
    package = "from binance.client import Client\nfrom binance.exceptions import BinanceAPIException"
    day, days, price, prices_of_all, all_tickers, newest, refused = server.run(package, script)
    assert day["symbol"] == price["symbol"] == "BTCUSDT"
    assert float(day["lastPrice"]) == float(price["price"]) == pytest.approx(hours[-1][4])
    assert day in days
    assert [one["symbol"] for one in days] == ["BTCUSDT", "ETHUSDT"]
    assert price in prices_of_all
    assert all_tickers == prices_of_all
    assert [kline[0] for kline in newest] == [row[0] for row in hours[-2:]]
    assert refused == [-1121, 400]


def test_python_binance_reads_candles(server: Server, hours: list[list[float]]) -> None:
    script = f"""{BINANCE}
show(client.ping())
show(client.get_server_time())
show(client.get_symbol_info("ETHUSDT"))
show(client.get_klines(symbol="BTCUSDT", interval=Client.KLINE_INTERVAL_1HOUR, limit=2))
show(client.get_historical_klines("BTCUSDT", "1h", {hours[0][0]}, limit=40))
show(list(client.get_historical_klines_generator("BTCUSDT", "1h", {hours[90][0]})))
try: client.get_klines(symbol="BTCUSDT", interval="9h")
except BinanceAPIException as error: show([error.code, error.status_code])
"""
    package = "from binance.client import Client\nfrom binance.exceptions import BinanceAPIException"
    pong, clock, info, newest, history, generated, refused = server.run(package, script)
    assert pong == {}
    assert clock["serverTime"] > 0
    assert (info["baseAsset"], info["quoteAsset"], info["status"]) == ("ETH", "USDT", "TRADING")
    assert [len(kline) for kline in newest] == [12, 12]
    assert newest[1][6] == hours[-1][0] + HOUR_MS - 1
    for kline, row in zip([*newest, *history, *generated], [*hours[-2:], *hours[:40], *hours[90:]], strict=True):
        assert [kline[0], *map(float, kline[1:6])] == pytest.approx(row)
    assert refused == [-1120, 400]


def test_pycoingecko_reads_prices(server: Server) -> None:
    script = f"""{COINGECKO}
show(gecko.ping())
show(gecko.get_coins_markets("usd"))
show(gecko.get_coins_markets("usd", ids=["bitcoin", "batcat"], order="market_cap_asc", per_page=1, page=1))
show(gecko.get_price(ids="bitcoin,ethereum", vs_currencies="usd", include_24hr_change="true"))
try: gecko.get_coins_markets("xyz")
except ValueError as error: show(str(error))
gecko.extra_params = {{"x_cg_pro_api_key": TOKEN}}
show(gecko.get_price(ids="bitcoin", vs_currencies="usd"))
gecko.extra_params = None
try: gecko.get_price(ids="bitcoin", vs_currencies="usd")
except ValueError as error: show(str(error))
"""
    said, coins, smallest, price, refused, pro, keyless = server.run("from pycoingecko import CoinGeckoAPI", script)
    published = {row["coin_id"]: row for row in prices().iter_rows(named=True)}
    assert said == {"gecko_says": "(V3) To the Moon!"}
    assert [coin["id"] for coin in coins] == ["bitcoin", "ethereum", "tether", "batcat"]
    assert [coin["current_price"] for coin in coins] == [published[coin["id"]]["price"] for coin in coins]
    assert [coin["id"] for coin in smallest] == ["batcat"]
    assert price == {
        coin: {"usd": published[coin]["price"], "usd_24h_change": published[coin]["change_24h"]}
        for coin in ("bitcoin", "ethereum")
    }
    assert "invalid vs_currency" in refused
    assert pro == {"bitcoin": {"usd": published["bitcoin"]["price"]}}
    assert "10002" in keyless


def test_pycoingecko_reads_coins(server: Server) -> None:
    script = f"""{COINGECKO}
show(gecko.get_coins_list())
show(gecko.get_coins_list(include_platform=True))
show(gecko.get_coin_by_id("bitcoin", localization=False, tickers=False))
show(gecko.get_coin_market_chart_by_id("bitcoin", "usd", 1))
show(gecko.get_coin_ohlc_by_id("bitcoin", "usd", 1))
show(gecko.search("btc"))
try: gecko.get_coin_by_id("unheard-of")
except ValueError as error: show(str(error))
"""
    coins, with_platforms, coin, chart, candles_of, found, refused = server.run(
        "from pycoingecko import CoinGeckoAPI", script
    )
    told = prices().row(0, named=True)
    at_ms = NOW_MS - 1000
    assert [one["id"] for one in coins] == ["batcat", "bitcoin", "ethereum", "tether"]
    assert with_platforms == [one | {"platforms": {}} for one in coins]
    assert coin["market_data"]["current_price"]["usd"] == told["price"]
    assert not {"tickers", "localization"} & set(coin)
    assert chart["prices"] == [[at_ms, told["price"]]]
    assert chart["market_caps"] == [[at_ms, told["market_cap"]]]
    assert candles_of == [[NOW_MS, *[told["price"]] * 4]]
    assert [one["id"] for one in found["coins"]] == ["bitcoin", "batcat"]
    assert "coin not found" in refused
