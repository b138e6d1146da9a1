"""Dagster, for any dataset: assets, checks, sensors, jobs and the resource they use.

chain                   keys, names and options of a dataset's Dagster objects
jobs                    all Dagster objects of one dataset
source_assets           makes a function that asks an upstream the source asset
stored_assets           the assets of cache and Hub
sensors                 a tick: starts a run, or says why not
runs                    which runs are alive, and ending those whose process is gone
run_workers             whether the process of a run is alive
run_limits              when a run counts as stuck
error_mapping           our errors as Dagster's
metadata                what a person sees about a materialization
resources               the resource of every asset: settings, clock, cache, Hub
retention               deletes old runs from Dagster's database
hub_maintenance         the job that squashes histories
history                 months of history
checks                  the asset checks
"""
