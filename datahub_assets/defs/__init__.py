"""Dagster, thin: resources, assets, checks and sensors. Logic lives in domain, sources and stores.

jobs            a chain as a whole, from its DatasetSpec
chain           keys, names and options its objects share
market_prices   the source asset of prices
ohlc_candles    the source asset of candles, and the healing of gaps
landing         what source assets share
stored          the assets of cache and Hub
checks          the asset checks
rules           what rows must be, for them
read_back       the proof of publishing, for them
sensors         a tick: start a run, or say why not
runs            which runs live, and the end of those that do not
failures        our errors as Dagster's
metadata        what a person sees about a materialization
workshop        the resource: settings, clock, cache, Hub
retention       old runs leave Dagster's database
hub_maintenance the job that squashes histories
"""
