"""The datasets: a package each, the specification they all follow, and the list of them.

spec                    DatasetSpec: all that differs between datasets
registry                the one list
ledgers                 which ledgers a dataset has
market                  prices, from CoinGecko
candles                 candles, from Binance
"""
