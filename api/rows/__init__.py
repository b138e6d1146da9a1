"""Rows of the datasets, in pages: an endpoint for each dataset, made from its spec.

controller              the endpoints
parameters              the query parameters of an endpoint
queries                 what callers say, checked and brought into normal form; cursors
schemas                 a row in the OpenAPI schema
"""
