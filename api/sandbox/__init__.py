"""Caller SQL, run where it can do no harm: in confined worker processes. The parent half must never parse or run it.

Import what you need from its module (`api.sandbox.pool` for the pool, `api.sandbox.errors`, …): this file imports
nothing, as every worker process loads it.

The server's half:
pool            the one door: runs a statement within its limits
lanes           who gets the next free worker
process         one worker process
nursery         the process workers are forked from
spawning        the server's end of it
snapshot        the tables a statement may read
wire            messages between the halves
limits          the limits as plain numbers
errors          what can become of a statement

The worker's half:
worker          the process
confinement     what it gives up first
seccomp         the system calls it keeps
session         what it does with a message
admission       which statements are admitted
functions       which functions they may call
engine          a statement run on DuckDB
tables          the tables as DuckDB scans them
parts           their files
pruning         which of them a range of times rules out
mapping         a file's bytes, mapped
columns         types every format can write
diagnosis       what went wrong, for the author of the statement
"""
