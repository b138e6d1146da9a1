"""The workers of the Data Hub: fetch, check, keep, publish. No HTTP serving lives here; that is `api`.

definitions     Dagster's only entry
cli             `datahub …`
settings        the table of settings
setting_values  what values of settings look like
settings_typos  variables that were meant to be settings
domain          what candles, prices and datasets are
sources         upstream APIs in
stores          SQLite cache and Hub out
defs            Dagster: assets, checks, sensors
ops             what runs and watches it all on one machine
"""
