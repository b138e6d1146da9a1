"""The SQLite cache: rows between upstream and Hub, the outbox of what no commit holds yet, and the quarantine.

cache                   the cache as a whole
database                its SQLite connection
schema                  the format of its file, and earlier ones
tables                  its tables, from the specs
series                  the state of each series: its first and last row, and when it was asked for again
series_gaps             what each series should hold, and the lines of gaps
sealed_keys             which sealed file of a repo holds which key
outcomes                what became of rows that went in or left
corrections             the ledger of values that upstream changed afterwards
quarantine              rejected rows with their reasons
commit_budget           how often we may commit
transfer                lines of one cache taken into another
repo_state              what the cache remembers of a repo: head, files, our commits
"""
