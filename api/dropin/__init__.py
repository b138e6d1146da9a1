"""Endpoints that answer as Binance's and CoinGecko's own APIs do, from the Hub: a client changes its base URL only.

binance                 Binance's
coingecko               CoinGecko's
queries                 a checked query of either
"""
