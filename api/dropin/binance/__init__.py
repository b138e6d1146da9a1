"""Binance's spot API, answered from the Hub's candles.

controller              the endpoints
errors                  errors in Binance's form
exchange_info           the pairs there are
klines                  candles in Binance's form, and its parameters
symbols                 how pairs are spelt
time_units              milliseconds and microseconds
"""
