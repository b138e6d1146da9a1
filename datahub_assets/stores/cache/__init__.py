"""The SQLite cache: rows between upstream and Hub, the outbox of what no commit holds yet, and the quarantine.

cache                   the cache as a whole
database                its SQLite connection
schema                  the format of its file
tables                  its tables, from the specs
series                  the state of each series: first and last row, coverage, gaps
quarantine              rejected rows with their reasons
repo_state              what the cache remembers of a repo: head, files, our commits
"""
