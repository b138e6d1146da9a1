"""Who may call, and how often.

api_keys                the token from where Binance's and CoinGecko's clients put it
auth                    whose token it is
guards                  token, rate limit and known parameters, checked before a handler runs
rate_limit              requests a minute, per token
unknown_tokens          how many unknown tokens the Hub is asked about, by address
"""
