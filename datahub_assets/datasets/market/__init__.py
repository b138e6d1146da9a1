"""Prices of coins, from CoinGecko.

spec                    what the dataset is
settings                which coins, and where to ask
rows                    an item of CoinGecko becomes a row, or is rejected
client                  CoinGecko's /coins/markets
asset                   the source asset
doctor                  what `datahub doctor` asks of CoinGecko
"""
