"""Sequential ccxt against a loopback exchange: `ccxt_fetch.py BASE_URL INTERVAL=START_MS…`.

Runs in the peers' environment. Its own rate limiter is switched off, which only helps it. Prints one line of JSON:
series, candles and seconds of the fetch alone (markets are loaded before).
"""

import json
import sys
import time

import ccxt


def main() -> None:
    base_url, starts = sys.argv[1], dict(word.split("=") for word in sys.argv[2:])
    exchange = ccxt.binance(
        {"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"}}
    )
    exchange.urls["api"]["public"] = f"{base_url}/api/v3"
    exchange.load_markets()
    symbols = [one["symbol"] for one in exchange.markets.values() if one["quote"] == "USDT" and one["active"]]
    started = time.perf_counter()
    candles = 0
    for symbol in symbols:
        for interval, since_ms in starts.items():
            candles += len(exchange.fetch_ohlcv(symbol, interval, since=int(since_ms)))
    elapsed_s = time.perf_counter() - started
    print(json.dumps({"series": len(symbols) * len(starts), "candles": candles, "elapsed_s": elapsed_s}))


if __name__ == "__main__":
    main()
