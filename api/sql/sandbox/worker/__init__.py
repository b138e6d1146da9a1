"""The half of the sandbox that runs in a worker process: checks one statement, runs it on DuckDB, sends the result.

worker                  the process
fork_server             the process that workers are forked from
session                 what it does with a message
admission               which statements are admitted
functions               which functions they may call
volatile                which of them may answer differently each time
statement_runner        runs a statement on DuckDB
tables                  the snapshot's tables as DuckDB scans them
parts                   the parts of a table, one per file
pruning                 which parts a range of times rules out
mapped_files            a file's bytes, mapped from a descriptor
result_columns          types that every format can write
error_messages          what went wrong, for the author of the statement
"""
