"""CoinGecko's API, answered from the Hub's prices.

charts                  prices over time, and candles made of them
coins                   prices in CoinGecko's form
controller              the endpoints
errors                  errors in CoinGecko's form
lists                   which coins there are
queries                 its parameters, checked
single                  what is known of one coin
"""
