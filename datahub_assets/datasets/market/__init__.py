"""Prices of coins, from CoinGecko.

spec                    what the dataset is
rows                    an item of CoinGecko becomes a row, or is rejected
client                  CoinGecko's /coins/markets
asset                   the source asset
"""
