"""Clients of the upstream HTTP APIs. Nothing here writes to disk or knows of Dagster.

coingecko       prices
binance         candles
http            one bounded GET
backoff         when to ask again
pauses          the pauses upstreams asked for
fetched         what a source hands to its asset
"""
