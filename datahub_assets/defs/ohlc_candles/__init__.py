"""Candles of spot pairs, from Binance."""
