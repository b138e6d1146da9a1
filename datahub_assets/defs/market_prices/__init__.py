"""Prices of coins, from CoinGecko."""
