"""The datasets: a package each, the specification they all follow, and the list of them.

spec                    DatasetSpec: all that differs between datasets
filters                 how callers narrow rows down
spec_checks             what a spec has to be
table_checks            the same of its names, columns and files
answer_checks           the same of its filters and its endpoint
taken_names             names no dataset may use
settings_base           what the settings of one dataset have in common
binance_settings        what those that ask Binance have in common besides
followed_chains         the chains that are followed, and what datasets of them have in common
ledgers                 which ledgers a dataset has, and what their lines say
row_bounds              the bounds of rows as expressions
items                   items of an upstream become rows, or are set aside
registry                the one list
market                  prices, from CoinGecko
candles                 candles, from Binance
listings                what Binance says of its pairs, through time
news                    titles and links, from publishers' feeds
blocks                  blocks of Ethereum and Bitcoin, from public nodes
network                 what it costs to use both, minute by minute
"""
