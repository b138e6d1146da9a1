"""Who may call, and how often.

admission               who may pass, at once or after asking the Hub; requests a minute, per token
api_keys                the token from where Binance's and CoinGecko's clients put it
auth                    whose token it is
unknown_tokens          how many unknown tokens the Hub is asked about, by address
"""
