"""Binance's spot API, answered from the Hub's candles.

controller              the endpoints
errors                  errors in Binance's form
exchange_info           the pairs there are
klines                  candles in Binance's form, and its parameters
newest                  the newest candles of pairs
numbers                 numbers as text
symbols                 how pairs are spelt and named
tickers                 prices and 24 hours of pairs
time_units              milliseconds and microseconds
"""
