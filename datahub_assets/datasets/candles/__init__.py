"""Candles of spot pairs, from Binance.

intervals               candle intervals and their grid in time
rows                    a kline becomes a row, or is rejected
gaps                    which candles of a series are missing
asset                   the source asset
refetch_gaps            asks again for the candles of gaps
client                  Binance's market data over HTTP
"""
