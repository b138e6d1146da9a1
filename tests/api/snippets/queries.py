"""Queries that snippets are asked for, one at least of each endpoint."""

AWKWARD_SQL = """SELECT symbol, count(*) AS "n", 'it''s `${x}` "quoted" \\n $HOME 🦎' AS text
FROM ohlc WHERE interval = ? GROUP BY ALL ORDER BY 1"""
QUERIES: dict[str, tuple[str, dict[str, str]]] = {
    "candles": ("/api/hub/ohlc?symbol=BTCUSDT,ETHUSDT&limit=6&order=desc", {}),
    "blocks": ("/api/hub/blocks?chain=ethereum&finalized_only=true", {}),
    "network": ("/api/hub/network?chain=ethereum&limit=3", {}),
    "listings": ("/api/hub/listings?quote=USDT&status=TRADING", {}),
    "news": ("/api/hub/news?q=wallet heist&coins=tether&columns=*", {}),
    "prices": ("/api/hub/market", {"limit": "3", "format": "csv"}),
    "sql": ("/api/hub/sql", {"q": AWKWARD_SQL, "params": '["1h"]'}),
    "dataset": ("/api/hub/dataset-info?dataset=ohlc", {}),
    "datasets": ("/api/hub/dataset-info", {}),
    "coverage": ("/api/hub/coverage?symbol=BTCUSDT&symbol=ETHUSDT", {"interval": "4h"}),
    "diff": ("/api/hub/diff?dataset=ohlc&from=main", {}),
    "revisions": ("/api/hub/revisions?dataset=market", {}),
    "status": ("/api/hub/status", {}),
    "health": ("/api/hub/health", {}),
    "system": ("/api/health", {}),
    "errors": ("/api/hub/errors", {}),
    "klines": ("/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": "3"}),
    "ui klines": ("/binance/api/v3/uiKlines?symbol=ETHUSDT&interval=4h", {"limit": "2"}),
    "pair prices": ("/binance/api/v3/ticker/price", {}),
    "pair days": ('/binance/api/v3/ticker/24hr?symbols=["BTCUSDT","ETHUSDT"]', {"type": "MINI"}),
    "pairs": ('/binance/api/v3/exchangeInfo?symbols=["BTCUSDT"]', {}),
    "time": ("/binance/api/v3/time", {}),
    "binance": ("/binance/api/v3/ping", {}),
    "coins": ("/coingecko/api/v3/coins/markets?vs_currency=usd&order=id_asc", {}),
    "coin prices": ("/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd", {}),
    "coin list": ("/coingecko/api/v3/coins/list?include_platform=true", {}),
    "coin": ("/coingecko/api/v3/coins/bitcoin", {"tickers": "false"}),
    "coin chart": ("/coingecko/api/v3/coins/bitcoin/market_chart?vs_currency=usd", {"days": "max"}),
    "coin candles": ("/coingecko/api/v3/coins/ethereum/ohlc?vs_currency=usd&days=1", {}),
    "search": ("/coingecko/api/v3/search?query=BTC", {}),
    "coingecko": ("/coingecko/api/v3/ping", {}),
}
MOVING = {"status", "health", "system", "pairs", "time"}
"""They answer with clocks and ages, so that no two answers are the same."""
TABLES = {"blocks", "candles", "listings", "network", "news", "prices", "sql", "errors", "coins", "coin list"}
STREAM = "/api/hub/stream"
