"""Answers computed from pinned commits: which commit is meant, ETag and 304, and the cache of finished responses.

answers                 the one door: ETag and 304, what is in memory, and what must be worked out
conditional             the same for one JSON object that is made each time
descriptions            what a query is answered from, said without answering it
response_cache          finished answers in memory, least recently used first out
revisions               from what a caller says of commits to snapshots
snapshot_queries        checked queries of JSON that is computed from snapshots
"""
