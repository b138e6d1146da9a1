"""Answers computed from pinned commits: which commit is meant, ETag and 304, and the cache of finished responses.

cached_answers          answers from memory, or a 304
computed_answers        answers that are a function of one commit and a query
conditional             the same for one JSON object of several commits
descriptions            what a query is answered from, said without answering it
listings                the same for lists that are of no commit
repeated_requests       finds the cached answer of an identical request without reading it
response_cache          finished answers in memory, least recently used first out
revision_choice         which commit a caller asks for: a revision or a time
revisions               from that choice to snapshots
snapshot_queries        checked queries of JSON that is computed from snapshots
"""
