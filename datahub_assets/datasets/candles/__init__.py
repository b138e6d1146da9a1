"""Candles of spot pairs, from Binance.

spec                    what the dataset is
intervals               candle intervals and their grid in time
rows                    a kline becomes a row, or is rejected
gaps                    which candles of a series are missing
ledgers                 gaps and corrections as tables
asset                   the source asset
refetch_gaps            asks again for the candles of gaps
client                  Binance's market data over HTTP
"""
