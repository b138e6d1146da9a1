"""Who may call, and how often.

admission               who may pass, at once or after asking the Hub; requests a minute, per token
api_keys                the token from where Binance's and CoinGecko's clients put it
auth                    whose token it is
client_tokens           the tokens this server's clients have of its own
credentials             how a token came in
unknown_tokens          how many unknown tokens are looked up, by address
url_tokens              the token from the URL, where clients can put it nowhere else
"""
