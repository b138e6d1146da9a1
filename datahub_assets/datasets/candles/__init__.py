"""Candles of spot pairs, from Binance.

spec                    what the dataset is
settings                which pairs and intervals, and where to ask
intervals               candle intervals and their grid in time
rows                    a kline becomes a row, or is rejected
earlier_ledgers         ledgers of earlier versions, in today's form
asset                   the source asset
history                 where history comes from
refetch_gaps            asks again for the candles of gaps
client                  Binance's market data over HTTP
archive                 months of history, from Binance's public archive
doctor                  what `datahub doctor` asks of Binance
"""
