"""Rows of the datasets, in pages: an endpoint for each dataset, made from its spec.

answers                 rows over HTTP: commit, ETag, cache, body
choice                  what a request's filters mean in a snapshot
controller              the endpoints
cursors                 where a page ended
descriptions            what a request for rows is answered from
parameters              the query parameters of an endpoint
queries                 what callers say, checked and brought into normal form
requests                that normal form
schemas                 a row in the OpenAPI schema
service                 a request for rows, answered from a snapshot
"""
