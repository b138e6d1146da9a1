"""The datasets: a package each, the specification they all follow, and the list of them.

registry                the one list
market                  prices, from CoinGecko
candles                 candles, from Binance
"""
