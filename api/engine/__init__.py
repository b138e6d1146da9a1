"""The datasets as the API serves them: local snapshots of commits, kept current, and rows selected from those.

conditions              filters as conditions on rows
datafile                one parquet file, opened once: its index of series, its rows mapped from disk
dataset                 one dataset, kept current
create                  the engine on the Hub of the settings
engine                  all datasets together
in_order                whether a parquet file has its rows as they are mapped
latest                  the newest row of each series
parquet                 parquet files read into indexes and Arrow files, by DuckDB
poller                  looks at the Hub every few seconds
refresh_errors          the error that stands for an unexpected one while datasets are kept current
snapshot                a commit on this machine's disk, immutable
snapshot_loader         commits become snapshots
hub                     what the Hub holds, and its local index
selection               rows of a snapshot by series, time, position and filters
"""
