"""Rows of a dataset: prices and candles, in pages.

answers                 rows over HTTP: commit, ETag, cache, body
controller              the endpoints
cursors                 where a page ended
queries                 what may be asked, in one normal form
schemas                 a row in the OpenAPI schema
service                 a request for rows, answered from a snapshot
"""
