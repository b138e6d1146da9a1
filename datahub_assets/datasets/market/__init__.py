"""Prices of coins, from CoinGecko.

spec                    what the dataset is
settings                which coins, and where to ask
rows                    an item of CoinGecko becomes a row, or is rejected
client                  CoinGecko's API
collecting              pages until all coins are there, and what to say where they are not
asset                   the source asset
doctor                  what `datahub doctor` asks of CoinGecko
"""
