"""History in Dagster: an asset with a partition for each month, and the runs that fill and commit by themselves.

history_definitions     all Dagster objects of a dataset's history
history_asset           the partitioned asset
history_jobs            the jobs that commit what was built, and that fill what was asked for
history_sensor          when those run
history_runs            what all runs of history have in common
history_sources         a dataset's source of history, by its package's name
"""
