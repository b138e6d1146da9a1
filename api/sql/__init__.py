"""SQL over the datasets, run in a sandbox.

controller              the endpoints
queries                 what may be asked
service                 a statement, answered over HTTP
snapshot_tables         snapshots as tables for SQL
sandbox                 callers' SQL in confined processes
"""
