"""What the API knows of the Hub: commits, local snapshots of them, and rows selected from those.

No HTTP answers here.

engine          all datasets together
dataset         one of them, kept current
poller          looks at the Hub
trouble         what stands for errors nobody typed
hub             reads it over HTTP
commits         the commits of a dataset
asking          asks for one that is not among them
catalog         their index in SQLite
blobs           their files on disk
library         commits become snapshots
snapshot        a commit as it lies here, immutable
datafile        one of its parquet files, opened once
reading         parquet into indexes and Arrow, by DuckDB
selection       rows of a snapshot, by series, time and position
latest          the newest row of each series
coverage        what there is of each series
diff            what changed between two commits
sqltables       snapshots as tables for SQL
"""
