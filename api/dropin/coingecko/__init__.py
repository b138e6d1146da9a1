"""CoinGecko's API, answered from the Hub's prices.

coins                   prices in CoinGecko's form
controller              the endpoints
errors                  errors in CoinGecko's form
queries                 its parameters, checked
"""
